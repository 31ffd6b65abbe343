"""Episodes of trained policies as moving pictures, with every agent's advantage beside what it did."""
