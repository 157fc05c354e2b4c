//! All policies, and which one applies to a key.

use super::pattern_index::PatternIndex;
use super::{DELAYED, IN_FLIGHT, QueuePolicy};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The policies of the settings, overlaid by those that were set or deleted while the server ran.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    configured: Vec<QueuePolicy>,
    /// By name; `None` for a deleted policy.
    runtime: BTreeMap<Vec<u8>, Option<QueuePolicy>>,
    /// The policies in effect, the highest priority first; among equals, the first by name.
    ranked: Vec<Arc<QueuePolicy>>,
    /// The patterns of `ranked`.
    patterns: PatternIndex,
    /// The most replicas that any of them needs.
    write_ack_replicas_max: u8,
}

/// A new key may have to be compared with all of them.
const POLICIES_MAX: usize = 1_000;

impl Policies {
    /// Replaces the policies of the settings. Policies set or deleted while the server ran are forgotten
    /// if the settings now say something else about them: the last word counts. Returns the names of the
    /// forgotten ones.
    pub fn configure(&mut self, configured: &[QueuePolicy]) -> Vec<Vec<u8>> {
        let now = |name: &[u8]| configured.iter().find(|policy| policy.name == name);
        let forgotten = self.runtime.iter().filter(|(name, said)| now(name) != said.as_ref());
        let names: Vec<Vec<u8>> = forgotten.map(|(name, _)| name.clone()).collect();
        names.iter().for_each(|name| drop(self.runtime.remove(name)));
        self.configured = configured.to_vec();
        self.rank();
        names
    }

    /// Makes the policies in effect those of the settings, which now contain them. Returns the names of
    /// those that were set or deleted while the server ran.
    pub fn adopt(&mut self) -> Vec<Vec<u8>> {
        self.configured = self.effective();
        std::mem::take(&mut self.runtime).into_keys().collect()
    }

    /// The policies of the settings alone.
    pub fn as_configured(&self) -> Policies {
        let mut configured =
            Policies { configured: self.configured.clone(), ..Policies::default() };
        configured.rank();
        configured
    }

    /// The policies in effect, in the order of the settings, then by name.
    pub fn effective(&self) -> Vec<QueuePolicy> {
        let configured = self.configured.iter().map(|policy| &policy.name);
        let is_new = |name: &&Vec<u8>| self.configured_as(name).is_none();
        let names = configured.chain(self.runtime.keys().filter(is_new));
        names.filter_map(|name| self.find(name).map(|policy| QueuePolicy::clone(policy))).collect()
    }

    /// The settings' version of a policy, whether it is in effect or not.
    pub fn configured_as(&self, name: &[u8]) -> Option<&QueuePolicy> {
        self.configured.iter().find(|policy| policy.name == name)
    }

    /// Whether the settings contain exactly this policy.
    pub fn is_configured(&self, policy: &QueuePolicy) -> bool {
        self.configured.contains(policy)
    }

    /// Forgets what was set for a policy while the server ran.
    pub fn forget(&mut self, name: &[u8]) {
        self.runtime.remove(name);
        self.rank();
    }

    /// Sets a policy; it replaces one of the same name.
    ///
    /// # Errors
    /// There are too many.
    pub fn set(&mut self, policy: QueuePolicy) -> Result<(), String> {
        let is_new = self.find(&policy.name).is_none();
        if is_new && self.ranked.len() >= POLICIES_MAX {
            return Err(format!("there are already {POLICIES_MAX} policies, the maximum"));
        }
        self.runtime.insert(policy.name.clone(), Some(policy));
        self.rank();
        Ok(())
    }

    /// Deletes a policy; false if there is none of this name.
    pub fn delete(&mut self, name: &[u8]) -> bool {
        if self.find(name).is_none() {
            return false;
        }
        if self.configured.iter().any(|policy| policy.name == name) {
            self.runtime.insert(name.to_vec(), None);
        } else {
            self.runtime.remove(name);
        }
        self.rank();
        true
    }

    fn rank(&mut self) {
        let mut by_name: BTreeMap<&[u8], &QueuePolicy> = BTreeMap::new();
        for policy in &self.configured {
            by_name.insert(&policy.name, policy);
        }
        for (name, policy) in &self.runtime {
            match policy {
                Some(policy) => by_name.insert(name, policy),
                None => by_name.remove(&name[..]),
            };
        }
        self.ranked = by_name.into_values().cloned().map(Arc::new).collect();
        // A stable sort: equal priorities stay in the order of names.
        self.ranked.sort_by_key(|policy| std::cmp::Reverse(policy.priority));
        let replicas = self.ranked.iter().map(|policy| policy.write_ack_replicas);
        self.write_ack_replicas_max = replicas.max().unwrap_or(0);
        self.patterns = PatternIndex::new(self.ranked.iter().map(|policy| &policy.pattern[..]));
    }

    /// Warns of each policy from older files without `acknowledge`, which means the next pop.
    pub fn warn_of_assumptions(&self) {
        for policy in self.ranked.iter().filter(|policy| policy.check_acknowledge().is_err()) {
            log::warn!(
                "queue policy '{}' has no option 'acknowledge', which older versions took for \
                 `acknowledge next-pop`; set it to that, or to `acknowledge explicit`",
                policy.name.escape_ascii()
            );
        }
    }

    /// Whether any policy needs list names in the append files.
    pub fn reserve_names(&self) -> bool {
        self.ranked.iter().any(|policy| policy.provides_delays())
    }

    /// The policy for whose queues the append files need a list of this name.
    pub fn reserving(&self, key: &[u8]) -> Option<&QueuePolicy> {
        let policy_of = |queue: Option<&[u8]>| queue.and_then(|queue| self.of(queue));
        let in_flight = policy_of(key.strip_suffix(IN_FLIGHT));
        let delayed = policy_of(key.strip_suffix(DELAYED));
        in_flight
            .filter(|policy| policy.is_at_least_once())
            .or_else(|| delayed.filter(|policy| policy.provides_delays()))
            .map(|policy| &**policy)
    }

    /// The most replicas that any policy needs to acknowledge a change.
    #[inline]
    pub fn write_ack_replicas_max(&self) -> u8 {
        self.write_ack_replicas_max
    }

    /// Whether there are no policies.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.ranked.is_empty()
    }

    /// The policies in effect, the highest priority first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<QueuePolicy>> {
        self.ranked.iter()
    }

    /// The policy of this name.
    pub fn find(&self, name: &[u8]) -> Option<&Arc<QueuePolicy>> {
        self.ranked.iter().find(|policy| policy.name == name)
    }

    /// The policy that applies to a key.
    pub fn of(&self, key: &[u8]) -> Option<&Arc<QueuePolicy>> {
        let rank = self.patterns.first(key, |rank| self.ranked[rank].matches(key))?;
        self.ranked.get(rank)
    }

    /// Maximum number of patterns that a key is compared with.
    pub fn comparisons_max(&self) -> usize {
        self.patterns.comparisons_max()
    }

    /// Policies set or deleted while the server ran. The append files keep them.
    pub fn runtime(&self) -> impl Iterator<Item = (&[u8], Option<&QueuePolicy>)> {
        self.runtime.iter().map(|(name, policy)| (&name[..], policy.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> QueuePolicy {
        let words: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
        QueuePolicy::parse(&words).expect("valid")
    }

    fn name_of(policies: &Policies, key: &[u8]) -> Option<String> {
        policies.of(key).map(|policy| String::from_utf8_lossy(&policy.name).into_owned())
    }

    #[test]
    fn only_the_highest_priority_applies() {
        let mut policies = Policies::default();
        policies.configure(&[policy("b q*"), policy("a q*"), policy("low q1 priority -1")]);
        assert_eq!(name_of(&policies, b"q1").as_deref(), Some("a"));
        policies.set(policy("high q1 priority 1")).expect("below the limit");
        assert_eq!(name_of(&policies, b"q1").as_deref(), Some("high"));
        assert_eq!(name_of(&policies, b"x"), None);
    }

    #[test]
    fn policies_set_at_run_time_override_the_settings() {
        let mut policies = Policies::default();
        policies.configure(&[policy("a q max-length 1")]);
        policies.set(policy("a q max-length 2")).expect("below the limit");
        policies.configure(&[policy("a q max-length 2")]);
        assert_eq!(policies.runtime().count(), 1, "it is the same");
        policies.configure(&[policy("a q max-length 1")]);
        assert_eq!(policies.of(b"q").and_then(|policy| policy.max_length), Some(1));
        policies.set(policy("a q max-length 2")).expect("below the limit");
        let forgotten = policies.configure(&[policy("a q max-length 3")]);
        assert_eq!(forgotten, [b"a"]);
        assert_eq!(policies.of(b"q").and_then(|policy| policy.max_length), Some(3));
        policies.set(policy("b x")).expect("below the limit");
        assert!(policies.delete(b"b"));
        assert_eq!(policies.runtime().count(), 0, "nothing remains of it");
        assert!(policies.delete(b"a"));
        assert!(!policies.delete(b"a"));
        assert!(policies.is_empty());
        assert_eq!(policies.runtime().collect::<Vec<_>>(), [(&b"a"[..], None)]);
    }

    #[test]
    fn effective_policies_are_what_the_settings_show() {
        let mut policies = Policies::default();
        policies.configure(&[policy("b x"), policy("a x")]);
        policies.set(policy("b y")).expect("below the limit");
        policies.set(policy("c z")).expect("below the limit");
        assert!(policies.delete(b"a"));
        let effective = [policy("b y"), policy("c z")];
        assert_eq!(policies.effective(), effective);
        assert_eq!(policies.clone().configure(&effective), [b"a"; 0]);
        assert_eq!(policies.clone().configure(&[]), [b"b", b"c"]);

        assert_eq!(policies.adopt(), [b"a", b"b", b"c"]);
        assert_eq!(policies.effective(), effective);
        assert_eq!(policies.runtime().count(), 0);
        assert_eq!(policies.configured_as(b"c"), Some(&policy("c z")));
    }

    #[test]
    fn there_is_a_limit() {
        let mut policies = Policies::default();
        for number in 0..POLICIES_MAX {
            policies.set(policy(&format!("p{number} q"))).expect("below the limit");
        }
        assert!(policies.set(policy("another q")).is_err());
        policies.set(policy("p1 other")).expect("not a new one");
    }
}
