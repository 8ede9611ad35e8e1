"""What prices say: which are cheap, old or implausible, nearby and in the whole country."""
