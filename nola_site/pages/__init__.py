"""The first screen, which shows what all the apps have. Other pages are in the apps."""
