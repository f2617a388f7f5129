"""What was said: conversations and their messages, in the history that `state` keeps."""
