"""What a prompt gets of the state within a budget. The messages of a prompt are in `conversations.context`."""
