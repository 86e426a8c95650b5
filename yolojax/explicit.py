"""Functions of batches on meshes with Explicit axes, the default of `jax.make_mesh`."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import jax
from jax.sharding import NamedSharding, PartitionSpec

_Function = TypeVar("_Function", bound=Callable[..., Any])


def auto_sharded(*, rows: bool) -> Callable[[_Function], _Function]:
    """Lets the compiler choose the layouts inside a function, whatever the axes of the mesh on which its arguments lie.

    On Explicit axes every operation must say how its result is sharded, and gathers and reshapes of a sharded axis are errors.
    On Auto axes, and without a mesh, the function is called as it is.

    Args:
        rows: whether the first axis of every result is sharded as that of the first sharded argument; otherwise every device
            gets the whole results.

    Returns:
        A decorator.
    """

    def decorate(function: _Function) -> _Function:
        @functools.wraps(function)
        def on_any_mesh(*args, **kwargs):
            leaves, tree = jax.tree.flatten((args, kwargs))
            layouts = {n: jax.typeof(leaf).sharding for n, leaf in enumerate(leaves) if isinstance(leaf, jax.Array)}
            layouts = {n: layout for n, layout in layouts.items() if layout.mesh.explicit_axes}
            if not layouts:
                return function(*args, **kwargs)
            mesh = next(iter(layouts.values())).mesh
            first_axes = [layout.spec[0] for layout in layouts.values() if len(layout.spec) and layout.spec[0]]
            layout = NamedSharding(mesh, PartitionSpec(first_axes[0]) if rows and first_axes else PartitionSpec())

            @jax.sharding.auto_axes(axes=mesh.explicit_axes, out_sharding=layout)
            def inside(*arrays):
                replaced = dict(zip(layouts, arrays, strict=True))
                args, kwargs = tree.unflatten([replaced.get(n, leaf) for n, leaf in enumerate(leaves)])
                return function(*args, **kwargs)

            return inside(*(leaves[n] for n in layouts))

        return cast(_Function, on_any_mesh)

    return decorate
