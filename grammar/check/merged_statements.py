"""Statements on top of others: what `--set`, or a space that builds on another, says anew.

A statement takes the place of those that speak of the same; settings in braces that it does not
name stay as they were.
"""

from dataclasses import replace

from wootzc.grammar import syntax
from wootzc.grammar.check.statements import topic

_LENGTHS = {"steps", "epochs"}  # of which a recipe has one


def replaced(
    statements: tuple[syntax.SpaceStatement, ...], new: syntax.SpaceStatement
) -> list[syntax.SpaceStatement]:
    """The statements that speak of the same as `new`.

    Where a metric has limits on both sides, the one on the side of `new`.
    """
    same = [s for s in statements if topic(s) == topic(new)]
    side = [s for s in same if _side(s) == _side(new)]
    return side if len(same) > 1 and side else same


def _side(statement: syntax.SpaceStatement) -> bool | None:
    """Whether it limits a metric from below; None where it limits none."""
    if isinstance(statement, syntax.Subject | syntax.WhereCost):
        return statement.comparison.text[0] in ">≥"
    return None


def merged(
    old: syntax.SpaceStatement, new: syntax.SpaceStatement, *, partial: bool = False
) -> syntax.SpaceStatement:
    """Blocks keep the settings that the new statement does not name.

    `partial`: only what is in `new`'s braces or options was said, its path or count was not.
    """
    match old, new:
        case syntax.Data(), syntax.Data():
            options = _merged_options(old.options, new.options)
            if partial:
                return replace(old, options=options)
            return replace(new, options=options)
        case syntax.Stage(), syntax.Stage(base=None, settings=syntax.Settings() as after):
            return replace(new, settings=merged_settings(old.settings, after), base=old.base)
        case syntax.Augment(), syntax.Augment():
            return replace(new, settings=merged_settings(old.settings, new.settings))
        case (
            syntax.Teacher(settings=before, path=path),
            syntax.Teacher(settings=syntax.Settings() as after, path=None),
        ):
            return replace(new, settings=merged_settings(before, after), path=path)
        case syntax.Latency(target=before), syntax.Latency(target=after) if (
            before and after and before.text == after.text
        ):
            return replace(new, settings=_merged_options(old.settings, new.settings))
        case syntax.Sample(), syntax.Sample():
            kinds = {type(option) for option in new.options}
            kept = tuple(o for o in old.options if type(o) not in kinds)
            count = old.count if partial else new.count
            return replace(new, count=count, options=(*kept, *new.options))
        case _:
            return new


def _merged_options(
    old: syntax.Settings | None, new: syntax.Settings | None
) -> syntax.Settings | None:
    return old if new is None else merged_settings(old, new)


def merged_settings(old: syntax.Settings | None, new: syntax.Settings) -> syntax.Settings:
    """Those of `new`, and those of `old` that it does not name."""
    if old is None:
        return new
    names = {setting.name.text for setting in new.settings}
    if names & _LENGTHS:
        names |= _LENGTHS
    kept = tuple(s for s in old.settings if s.name.text not in names)
    return replace(new, settings=(*kept, *new.settings))
