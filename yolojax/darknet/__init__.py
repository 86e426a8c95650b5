"""Darknet models in and out: `.cfg` files as Flax networks, `.weights` files as their variables."""
