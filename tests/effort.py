"""How hard a property is tried: as hard as the profile of hypothesis says, or a share of that."""

from hypothesis import HealthCheck, settings


def tried(share: float = 1, *, excused: tuple[HealthCheck, ...] = ()) -> settings:
    """Try a share of the profile's examples: 100 by default, 1,000 in `make thorough`."""
    return settings(
        max_examples=round(share * settings().max_examples),
        deadline=None,  # machines are busy
        suppress_health_check=excused,
    )
