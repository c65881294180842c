"""Working programs that the offline author knows, each with the tests that fit it.

They are cut into cells. ``# %% core`` stands in every draft; ``# %% title: words`` is an
addition that criteria with these words ask for; ``# %% ?title: words`` comes only if they do.
The main class, named first in a core, takes the name of the user's own thing.
"""
