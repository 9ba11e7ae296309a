"""How the result gets to a target, what that would lose there, and what it came to.

One file a kind; importing this package registers them, see `wizard.delivery.kinds`.
"""

from wizard.delivery import in_place, playbook, swap

__all__ = ["in_place", "playbook", "swap"]
