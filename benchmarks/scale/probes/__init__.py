"""What is measured, each in a process of its own: arguments in, figures out (`probe.answer`)."""
