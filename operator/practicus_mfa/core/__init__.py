"""What must happen, given what is seen: pure, standard library only, no I/O."""
