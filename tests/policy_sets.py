"""Policies and models of every kind, for what has to hold whatever the policies are."""

from hypothesis import strategies as st

from orchestrator.catalogue import ModelEntry, Price
from orchestrator.policies import Policy, Rules

PROVIDERS, IDS, REGIONS, TAGS = ["north", "south"], ["a", "b", "c"], ["eu", "us"], ["x", "y"]
FREE = Price.model_validate({"input": 0, "output": 0})


def _some(names):
    return st.none() | st.lists(st.sampled_from(names), min_size=1, unique=True)


_rules = (
    st.fixed_dictionaries(
        {
            "allowed_providers": _some(PROVIDERS),
            "blocked_providers": _some(PROVIDERS),
            "allowed_models": _some(IDS),
            "blocked_models": _some(IDS),
            "allowed_regions": _some(REGIONS),
            "blocked_regions": _some(REGIONS),
            "required_tags": _some(TAGS),
        }
    )
    .filter(lambda demands: any(demands.values()))
    .map(Rules.model_validate)
)

policy_sets = st.lists(
    st.builds(
        Policy, name=st.just("p"), mode=st.sampled_from(["hard", "soft", "monitor"]), rules=_rules
    ),
    max_size=4,
)

candidates = st.tuples(
    *(
        st.builds(
            ModelEntry,
            id=st.just(name),
            provider=st.sampled_from(PROVIDERS),
            api=st.just("offline"),
            price=st.just(FREE),
            region=st.none() | st.sampled_from(REGIONS),
            tags=st.frozensets(st.sampled_from(TAGS)),
        )
        for name in IDS
    )
)


def forbids(demands: Rules, entry: ModelEntry) -> bool:
    """The same law, written down a second time and another way."""
    required = set(demands.required_tags or ())
    return (
        entry.provider not in (demands.allowed_providers or PROVIDERS)
        or entry.provider in (demands.blocked_providers or ())
        or entry.id not in (demands.allowed_models or IDS)
        or entry.id in (demands.blocked_models or ())
        or (demands.allowed_regions is not None and entry.region not in demands.allowed_regions)
        or (
            demands.blocked_regions is not None
            and (entry.region is None or entry.region in demands.blocked_regions)
        )
        or not required <= entry.tags
    )
