"""Pages for developers: the start page, what GraphiQL opens with, the documentation's texts."""
