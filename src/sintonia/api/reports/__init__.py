"""What each verb says when it is done: figures for programs, and lines for people under the key `say`."""
