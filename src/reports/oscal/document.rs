//! The parts of OSCAL's assessment results that mailvet writes, in the words of its schema.
//!
//! Three types of text keep apart what the schema does: [`Line`] and `Markup` are escaped for OSCAL's markup, [`Plain`] is a
//! text without markup that neither is empty nor begins or ends with white space, [`Token`] is a name.

use serde::Serialize;

use super::super::escape;

/// Namespace of the properties that mailvet defines.
const NAMESPACE: &str = "urn:mailvet:oscal";

/// The longest text, in characters.
const TEXT: usize = 4000;

/// Text with markup, in which everything that others wrote is escaped.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub(super) struct Markup(String);

impl Markup {
    /// Text that mailvet or others wrote, without markup of its own.
    pub(super) fn new(text: &str) -> Markup {
        let text = escape::oscal(&escape::cut(text, TEXT));
        // A line of markup must have a character.
        Markup(if text.is_empty() { "-".to_owned() } else { text })
    }

    /// A heading of mailvet's own with a list below it.
    pub(super) fn list(heading: &str, items: impl Iterator<Item = String>) -> Markup {
        let mut text = Markup::new(heading).0;
        text.push('\n');
        for item in items {
            text.push_str("\n- ");
            text.push_str(&escape::oscal(&escape::cut(&item, TEXT)));
        }
        Markup(text)
    }
}

/// Text without markup.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Plain(String);

impl Plain {
    pub(super) fn new(text: &str) -> Plain {
        let shown = crate::diag::visible(&escape::cut(text, TEXT)).into_owned();
        let text = shown.trim();
        Plain(if text.is_empty() { "-".to_owned() } else { text.to_owned() })
    }
}

/// A name as XML Schema defines it, made of ASCII: what is not allowed becomes `_`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub(super) struct Token(String);

impl Token {
    pub(super) fn new(text: &str) -> Token {
        let allowed = |character: char| {
            if character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_') { character } else { '_' }
        };
        let mut token: String = text.chars().take(TEXT).map(allowed).collect();
        if !token.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
            token.insert(0, '_');
        }
        Token(token)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Document<R> {
    pub(super) assessment_results: R,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct AssessmentResults<Items, Observations, Findings, Resources> {
    pub(super) uuid: String,
    pub(super) metadata: Metadata,
    pub(super) import_ap: ImportAp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) local_definitions: Option<Activities>,
    pub(super) results: [RunResult<Items, Observations, Findings>; 1],
    pub(super) back_matter: BackMatter<Resources>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Metadata {
    pub(super) title: Markup,
    pub(super) last_modified: String,
    pub(super) version: String,
    pub(super) oscal_version: &'static str,
    pub(super) props: Vec<Property>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) parties: Vec<Party>,
    pub(super) remarks: Markup,
}

/// A person who answered.
#[derive(Serialize)]
pub(super) struct Party {
    pub(super) uuid: String,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) name: Plain,
    pub(super) remarks: Markup,
}

#[derive(Serialize)]
pub(super) struct ImportAp {
    pub(super) href: String,
    pub(super) remarks: Markup,
}

#[derive(Serialize)]
pub(super) struct Activities {
    pub(super) activities: Vec<Activity>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Activity {
    pub(super) uuid: String,
    pub(super) title: Markup,
    pub(super) description: Markup,
    pub(super) props: Vec<Property>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) related_controls: Option<ReviewedControls>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remarks: Option<Markup>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RunResult<Items, Observations, Findings> {
    pub(super) uuid: String,
    pub(super) title: Markup,
    pub(super) description: Markup,
    pub(super) start: String,
    pub(super) props: Vec<Property>,
    pub(super) local_definitions: Definitions<Items>,
    pub(super) reviewed_controls: ReviewedControls,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) observations: Option<Observations>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) risks: Vec<Risk>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) findings: Option<Findings>,
    pub(super) remarks: Markup,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Definitions<Items> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) inventory_items: Option<Items>,
    pub(super) assessment_assets: Assets,
}

#[derive(Serialize)]
pub(super) struct InventoryItem {
    pub(super) uuid: String,
    pub(super) description: Markup,
    pub(super) props: Vec<Property>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Assets {
    pub(super) components: [Component; 1],
    pub(super) assessment_platforms: [Platform; 1],
}

#[derive(Serialize)]
pub(super) struct Component {
    pub(super) uuid: String,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) title: Markup,
    pub(super) description: Markup,
    pub(super) status: State,
}

#[derive(Serialize)]
pub(super) struct State {
    pub(super) state: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Platform {
    pub(super) uuid: String,
    pub(super) uses_components: [Uses; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Uses {
    pub(super) component_uuid: String,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ReviewedControls {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<Markup>,
    pub(super) control_selections: Vec<ControlSelection>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) control_objective_selections: Vec<ObjectiveSelection>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ControlSelection {
    pub(super) description: Markup,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) include_controls: Vec<ControlId>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ControlId {
    pub(super) control_id: Token,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ObjectiveSelection {
    pub(super) description: Markup,
    pub(super) include_objectives: Vec<ObjectiveId>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ObjectiveId {
    pub(super) objective_id: Token,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Observation {
    pub(super) uuid: String,
    pub(super) title: Markup,
    pub(super) description: Markup,
    pub(super) props: Vec<Property>,
    pub(super) methods: Vec<&'static str>,
    pub(super) types: [&'static str; 1],
    pub(super) origins: [Origin; 1],
    pub(super) subjects: [Subject; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) relevant_evidence: Vec<RelevantEvidence>,
    pub(super) collected: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Origin {
    pub(super) actors: [Actor; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Actor {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) actor_uuid: String,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Subject {
    pub(super) subject_uuid: String,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) title: Markup,
}

#[derive(Serialize)]
pub(super) struct RelevantEvidence {
    pub(super) href: String,
    pub(super) description: Markup,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct FindingItem {
    pub(super) uuid: String,
    pub(super) title: Markup,
    pub(super) description: Markup,
    pub(super) props: Vec<Property>,
    pub(super) origins: [Origin; 1],
    pub(super) target: ObjectiveStatus,
    pub(super) related_observations: [RelatedObservation; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) related_risks: Vec<RelatedRisk>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remarks: Option<Markup>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ObjectiveStatus {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) target_id: Token,
    pub(super) status: Determination,
}

#[derive(Serialize)]
pub(super) struct Determination {
    pub(super) state: &'static str,
    pub(super) reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remarks: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RelatedObservation {
    pub(super) observation_uuid: String,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RelatedRisk {
    pub(super) risk_uuid: String,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Risk {
    pub(super) uuid: String,
    pub(super) title: Markup,
    pub(super) description: Markup,
    pub(super) statement: Markup,
    pub(super) props: Vec<Property>,
    pub(super) status: &'static str,
    pub(super) deadline: String,
    pub(super) risk_log: RiskLog,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) related_observations: Vec<RelatedObservation>,
}

#[derive(Serialize)]
pub(super) struct RiskLog {
    pub(super) entries: Vec<RiskEntry>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RiskEntry {
    pub(super) uuid: String,
    pub(super) title: Markup,
    pub(super) description: Markup,
    pub(super) start: String,
    pub(super) status_change: &'static str,
}

#[derive(Serialize)]
pub(super) struct BackMatter<Resources> {
    pub(super) resources: Resources,
}

#[derive(Serialize)]
pub(super) struct Resource {
    pub(super) uuid: String,
    pub(super) title: Markup,
    pub(super) description: Markup,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) props: Vec<Property>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) rlinks: Vec<ResourceLink>,
}

#[derive(Serialize)]
pub(super) struct ResourceLink {
    pub(super) href: String,
    pub(super) hashes: [Hash; 1],
}

#[derive(Serialize)]
pub(super) struct Hash {
    pub(super) algorithm: &'static str,
    pub(super) value: String,
}

/// A property of mailvet's own.
#[derive(Serialize)]
pub(super) struct Property {
    name: &'static str,
    ns: &'static str,
    value: Plain,
}

impl Property {
    pub(super) fn new(name: &'static str, value: &str) -> Property {
        Property { name, ns: NAMESPACE, value: Plain::new(value) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_has_the_shape_its_type_demands() {
        for (text, token) in [
            ("spoofing.spf", "spoofing.spf"),
            ("9.5", "_9.5"),
            ("", "_"),
            ("a b\u{1b}/(", "a_b___"),
            ("ä", "_"),
            ("-x", "_-x"),
        ] {
            assert_eq!(Token::new(text).0, token);
        }
        assert_eq!((Plain::new(" a\n").0.as_str(), Plain::new("").0.as_str()), ("a\\n", "-"));
        assert_eq!((Markup::new("a\nb").0.as_str(), Markup::new("").0.as_str()), ("a\\\\nb", "-"));
    }
}
