"""Small two-agent Dec-POMDPs as tables, solved exactly, and every window of them in the shapes of the estimators."""
