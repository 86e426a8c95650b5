"""What the processes of a run tell each other, where there is only one; test_distributed.py has several."""

from yolojax.runtime import hosts


def test_one_process_talks_to_itself():
    assert hosts.is_first() and hosts.gather({"a": 1}) == [{"a": 1}]
    hosts.check_same_on_all_hosts({"seed": float("nan")})
