"""The rules, by name. One is a function of a tree that yields what breaks it: a place, and words."""

RULES = {}


class Skipped(Exception):
    """The rule cannot be tried here, and why."""


def rule(name, words):
    def add(function):
        RULES[name] = (words, function)
        return function

    return add
