//! Literals: from what is written to a value of the type it is compared with, and values of parameters.
//!
//! Nothing is converted silently: `10` is no text, `"10"` is no number, `no` is no boolean.

use super::document::{Param, ParamKind, ParamValue};
use super::model::Literal;
use crate::diag::yaml::{Meaning, Node, Scalar, shortened};
use crate::diag::{Diagnostic, suggest};
use crate::facts::Name;
use crate::facts::domain::Time;
use crate::facts::{Kind, Words};

/// Seconds in units of duration literals.
const UNITS: [(&str, i64); 5] = [("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// Seconds of a duration literal: `14d`, `2h`, `30m`, `45s`, `1w`, or plain seconds.
pub fn duration(text: &str) -> Option<i64> {
    let (digits, factor) = UNITS
        .iter()
        .find_map(|(unit, factor)| text.strip_suffix(unit).map(|digits| (digits, *factor)))
        .unwrap_or((text, 1));
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse::<i64>().ok()?.checked_mul(factor)
}

/// A duration in the largest unit that divides it, such as `14d`.
pub fn duration_text(seconds: i64) -> String {
    // Weeks are read but not written: `14d` is what people compare with `28d`.
    let unit = UNITS.iter().skip(1).find(|(_, factor)| seconds != 0 && seconds % factor == 0);
    unit.map_or_else(|| format!("{seconds}s"), |(unit, factor)| format!("{}{unit}", seconds / factor))
}

/// A type in words that follow "must be" or "is".
pub(super) fn kind_text(kind: Kind) -> String {
    match kind {
        Kind::Bool => "`true` or `false`".to_owned(),
        Kind::Int => "a whole number".to_owned(),
        Kind::Duration => "a length of time such as `14d`".to_owned(),
        Kind::Time => "a date such as `2027-01-31`".to_owned(),
        Kind::Text => "text".to_owned(),
        Kind::Name => "a domain name".to_owned(),
        Kind::Address => "an IP address".to_owned(),
        Kind::Word(words) => format!("one of {}", words.words.join(", ")),
        Kind::List(_) | Kind::ListOf(_) => "a list".to_owned(),
    }
}

/// The scalar `node` as a value of the type of the fact `path`.
pub(super) fn literal(kind: Kind, path: &str, node: &Node) -> Result<Literal, Diagnostic> {
    let wrong = || {
        let written = if node.is_null() { "nothing".to_owned() } else { node.describe() };
        let message = format!("`{path}` is {}, but is compared with {written}", kind_text(kind));
        Diagnostic::error("rule-type", message).at(node.span)
    };
    let Some(scalar) = node.scalar() else { return Err(wrong()) };
    let text = &*scalar.text;
    let meaning = scalar.meaning();
    if meaning == Meaning::Null {
        return Err(wrong().help("to ask whether a fact is there, write `is: absent` or `is: present`"));
    }
    let converted = match (kind, meaning) {
        (Kind::Bool, Meaning::Bool(value)) => Some(Literal::Bool(value)),
        (Kind::Int, Meaning::Int(value)) => Some(Literal::Int(value)),
        (Kind::Duration, Meaning::Int(_) | Meaning::Text) => duration(text).map(Literal::Duration),
        (Kind::Time, Meaning::Text) => Time::parse(text).map(|time| Literal::Time(time.0)),
        (Kind::Text, Meaning::Text) => Some(Literal::Text(text.into())),
        (Kind::Text, _) => return Err(wrong().help(format!("if the text is meant, put it in quotes: `\"{text}\"`"))),
        (Kind::Name, Meaning::Text) => Name::parse(text).ok().map(|name| Literal::Name(name.as_str().into())),
        (Kind::Address, Meaning::Text) => text.parse().ok().map(Literal::Address),
        (Kind::Word(words), _) => return word(words, path, scalar).map_err(|problem| problem.at(node.span)),
        _ => None,
    };
    converted.ok_or_else(wrong)
}

fn word(words: &'static Words, path: &str, scalar: &Scalar) -> Result<Literal, Diagnostic> {
    if let Some(rank) = rank(words, &scalar.text) {
        return Ok(Literal::Word { rank, words });
    }
    let known = words.words.join(", ");
    let message = format!("`{}` is not a value of `{path}` ({known})", shortened(&scalar.text));
    let problem = Diagnostic::error("rule-value", message);
    Err(match suggest(&scalar.text, words.words.iter().copied()) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem,
    })
}

fn rank(words: &Words, text: &str) -> Option<u8> {
    words.words.iter().position(|word| *word == text).and_then(|rank| u8::try_from(rank).ok())
}

/// The value of a parameter as a value of the type of the fact `path`.
pub(super) fn from_param(kind: Kind, path: &str, param: &Param, value: &ParamValue) -> Result<Literal, Diagnostic> {
    let converted = match (kind, value) {
        (Kind::Bool, ParamValue::Boolean(value)) => Some(Literal::Bool(*value)),
        (Kind::Int, ParamValue::Integer(value)) => Some(Literal::Int(*value)),
        (Kind::Duration, ParamValue::Duration(value)) => Some(Literal::Duration(*value)),
        (Kind::Text, ParamValue::Text(text) | ParamValue::Word(text)) => Some(Literal::Text(text.as_str().into())),
        (Kind::Name, ParamValue::Text(text)) => Name::parse(text).ok().map(|name| Literal::Name(name.as_str().into())),
        (Kind::Address, ParamValue::Text(text)) => text.parse().ok().map(Literal::Address),
        (Kind::Time, ParamValue::Text(text)) => Time::parse(text).map(|time| Literal::Time(time.0)),
        (Kind::Word(words), ParamValue::Word(text)) => {
            foreign_words(words, path, param)?;
            rank(words, text).map(|rank| Literal::Word { rank, words })
        }
        _ => None,
    };
    converted.ok_or_else(|| {
        let name = &param.name.value;
        let message = match (kind, value) {
            (Kind::Name | Kind::Address | Kind::Time, ParamValue::Text(text)) => {
                format!("`{path}` is {}, but the parameter `{name}` is `{}`", kind_text(kind), shortened(text))
            }
            _ => format!(
                "`{path}` is {}, but the parameter `{name}` is of type {}",
                kind_text(kind),
                param.kind.as_str()
            ),
        };
        Diagnostic::error("rule-type", message)
    })
}

/// Every word a parameter may have must be one that the fact may have.
fn foreign_words(words: &Words, path: &str, param: &Param) -> Result<(), Diagnostic> {
    let ParamKind::Word { values } = &param.kind else { return Ok(()) };
    match values.iter().find(|value| rank(words, value).is_none()) {
        None => Ok(()),
        Some(value) => {
            let (name, known) = (&param.name.value, words.words.join(", "));
            let message =
                format!("the parameter `{name}` may be `{value}`, which is not a value of `{path}` ({known})");
            Err(Diagnostic::error("rule-value", message))
        }
    }
}

/// A scalar as the value of a parameter, checked against its bounds. The diagnostic has no place yet.
pub(super) fn param_value(name: &str, kind: &ParamKind, scalar: &Scalar) -> Result<ParamValue, Diagnostic> {
    let text = &*scalar.text;
    let meaning = scalar.meaning();
    let found = match (kind, meaning) {
        (ParamKind::Integer { .. }, Meaning::Int(value)) => Some(ParamValue::Integer(value)),
        (ParamKind::Duration { .. }, Meaning::Int(_) | Meaning::Text) => duration(text).map(ParamValue::Duration),
        (ParamKind::Boolean, Meaning::Bool(value)) => Some(ParamValue::Boolean(value)),
        (ParamKind::Text, Meaning::Text) => Some(ParamValue::Text(text.to_owned())),
        (ParamKind::Word { values }, _) => return param_word(name, values, text),
        _ => None,
    };
    let Some(value) = found else {
        let wanted = match kind {
            ParamKind::Integer { .. } => "a whole number",
            ParamKind::Duration { .. } => "a length of time such as `14d`",
            ParamKind::Boolean => "`true` or `false`",
            ParamKind::Text | ParamKind::Word { .. } => "text",
        };
        let message = format!("the parameter `{name}` must be {wanted}, but is `{}`", shortened(text));
        return Err(Diagnostic::error("param-type", message));
    };
    bounded(name, kind, value)
}

fn param_word(name: &str, values: &[String], text: &str) -> Result<ParamValue, Diagnostic> {
    if values.iter().any(|value| value == text) {
        return Ok(ParamValue::Word(text.to_owned()));
    }
    let message = format!("`{}` is not a value of the parameter `{name}` ({})", shortened(text), values.join(", "));
    let problem = Diagnostic::error("param-value", message);
    Err(match suggest(text, values.iter().map(String::as_str)) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem,
    })
}

fn bounded(name: &str, kind: &ParamKind, value: ParamValue) -> Result<ParamValue, Diagnostic> {
    let (number, min, max) = match (kind, &value) {
        (ParamKind::Integer { min, max }, ParamValue::Integer(number))
        | (ParamKind::Duration { min, max }, ParamValue::Duration(number)) => (*number, *min, *max),
        _ => return Ok(value),
    };
    let show = |bound: i64| match kind {
        ParamKind::Duration { .. } => duration_text(bound),
        _ => bound.to_string(),
    };
    let message = match (min, max) {
        (Some(min), _) if number < min => format!("less than its minimum {}", show(min)),
        (_, Some(max)) if number > max => format!("more than its maximum {}", show(max)),
        _ => return Ok(value),
    };
    let message = format!("the parameter `{name}` is {}, {message}", show(number));
    Err(Diagnostic::error("param-bounds", message))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_have_one_unit() {
        let cases = [
            ("14d", Some(1_209_600)),
            ("2h", Some(7_200)),
            ("30m", Some(1_800)),
            ("45s", Some(45)),
            ("1w", Some(604_800)),
            ("600", Some(600)),
            ("0", Some(0)),
            ("", None),
            ("d", None),
            ("-1d", None),
            ("1.5h", None),
            ("1h30m", None),
            ("1 d", None),
            ("999999999999999999d", None),
        ];
        for (text, seconds) in cases {
            assert_eq!(duration(text), seconds, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn durations_survive_a_round_trip(seconds in 0i64..10_000_000) {
            prop_assert_eq!(duration(&duration_text(seconds)), Some(seconds));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,20}") {
            let _ = duration(&text);
        }
    }
}
