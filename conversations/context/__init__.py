"""A prompt's context, put together from the state and from messages. Budgets are in `state.context`."""
