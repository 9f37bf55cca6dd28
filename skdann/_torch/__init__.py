"""What torch has globally: generators, devices, threads."""
