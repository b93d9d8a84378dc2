# %% [markdown]
# # A sample
#
# [Sound](../docs/library/2022-sound.md#how-they-know), [itself](00_sample.py#The-control),
# [a dead page](../docs/library/2022-sond.md), [a dead demo](01_sampel.py),
# [a page's address](../library/2022-sound/), [an anchor](../docs/library/2022-sound.md#nothing).

# %%
address = "[no](link.md)"  # ada@lab.edu in code is not looked at

# %% [markdown]
# #### The control
#
# ![](figure.svg) Ask ada@lab.edu.
