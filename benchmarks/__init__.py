"""Speed against JaxMARL on the same machine in the same run, and what each choice of this project costs."""
