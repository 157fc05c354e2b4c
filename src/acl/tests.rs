//! Whatever the rules, what is shown of a user makes the same user again, and the shortcut for users
//! without restrictions says what the rules say.

use super::{Access, Asked, Catalogue, CatalogueEntry, Categories, UserId, Users};
use proptest::prelude::*;
use std::sync::LazyLock;

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let entry = |name, category: &str, subcommands| CatalogueEntry {
        name,
        categories: Categories::named(category.as_bytes()).expect("a category"),
        subcommands,
    };
    Catalogue::new(vec![
        entry("get", "read", 0),
        entry("set", "write", 0),
        entry("config", "slow", 2),
        entry("config|get", "admin", 0),
        entry("config|set", "admin", 0),
        entry("select", "fast", 0),
        entry("publish", "pubsub", 0),
    ])
});

/// The number of commands above.
const COMMANDS: usize = 7;

fn users() -> Users {
    Users::new(&CATALOGUE, "", false)
}

/// A request for one key and one channel.
struct Request {
    command: usize,
    arg: &'static [u8],
    key: &'static [u8],
    access: Access,
    channel: &'static [u8],
    is_pattern: bool,
}

impl Asked for Request {
    fn command(&self) -> usize {
        self.command
    }

    fn is_for_everybody(&self) -> bool {
        false
    }

    fn first_arg(&self) -> Option<&[u8]> {
        Some(self.arg)
    }

    fn refused_key(&self, may_use: &dyn Fn(&[u8], Access) -> bool) -> Option<usize> {
        (!may_use(self.key, self.access)).then_some(1)
    }

    fn refused_channel(&self, may_use: &dyn Fn(&[u8], bool) -> bool) -> Option<usize> {
        (!may_use(self.channel, self.is_pattern)).then_some(2)
    }
}

fn requests() -> impl Iterator<Item = Request> {
    let accesses = [
        Access::NONE,
        Access { reads: true, writes: false },
        Access { reads: false, writes: true },
        Access::ALL,
    ];
    (0..COMMANDS).flat_map(move |command| {
        accesses.into_iter().flat_map(move |access| {
            [(b"a", false), (b"b", false), (b"*", true)].into_iter().map(
                move |(name, is_pattern)| {
                    let arg: &[u8] = if is_pattern { b"0" } else { b"1" };
                    Request { command, arg, key: name, access, channel: name, is_pattern }
                },
            )
        })
    })
}

fn rules() -> impl Strategy<Value = Vec<&'static str>> {
    let words = prop::sample::select(vec![
        "on",
        "off",
        "nopass",
        "resetpass",
        ">x",
        ">y",
        "<x",
        "reset",
        "clearselectors",
        "allkeys",
        "~*",
        "resetkeys",
        "~a",
        "~b*",
        "%R~a",
        "%W~a",
        "%RW~b",
        "%R~*",
        "allchannels",
        "&*",
        "resetchannels",
        "&a",
        "&b*",
        "allcommands",
        "nocommands",
        "+@all",
        "-@all",
        "+get",
        "-get",
        "+set",
        "+config",
        "-config",
        "+config|get",
        "-config|set",
        "+select|0",
        "+select",
        "-select",
        "+@read",
        "-@read",
        "+@admin",
        "-@admin",
        "+@slow",
        "(+get ~a)",
        "(+@all -config ~* &*)",
        "(%R~b +@all)",
        "()",
        "sanitize-payload",
        "skip-sanitize-payload",
        "nosuch",
        "(",
        "%X~a",
    ]);
    prop::collection::vec(words, 0..12)
}

proptest! {
    #[test]
    fn a_user_reads_back_as_it_is_shown(rules in rules()) {
        let mut users = users();
        for rule in &rules {
            // A wrong rule changes nothing.
            let before = users.find(b"u").map(|id| users.get(id).describe());
            if users.set(b"u", [rule.as_bytes()].into_iter()).is_err() {
                prop_assert_eq!(users.find(b"u").map(|id| users.get(id).describe()), before);
            }
        }
        let Some(id) = users.find(b"u") else { return Ok(()) };
        let shown = users.get(id).describe_rules();
        let copy = users.set(b"v", shown.split(|byte| *byte == b' ')).expect("it was shown");
        prop_assert_eq!(users.get(copy).describe_rules(), &shown[..]);
        let (own, copy) = (users.get(id), users.get(copy));
        prop_assert_eq!(own.is_unrestricted(), copy.is_unrestricted());
        for request in requests() {
            prop_assert_eq!(own.check(&request), copy.check(&request));
            prop_assert!(!own.is_unrestricted() || own.check(&request).is_ok());
        }
        let file = users.parse_file("f", &users.get(id).describe()).expect("a line of a file");
        prop_assert_eq!(file.first().map(|user| user.describe_rules()), Some(shown));
    }

    #[test]
    fn any_words_are_rules_or_an_error(words in prop::collection::vec("[ -~&&[^ ]]{0,8}", 0..6)) {
        let mut users = users();
        let set = users.set(b"u", words.iter().map(String::as_bytes));
        prop_assert_eq!(set.is_ok(), users.find(b"u").is_some());
    }
}

#[test]
fn the_default_user_may_do_everything_until_it_is_changed() {
    let mut users = users();
    assert!(users.is_open() && users.get(UserId::DEFAULT).is_unrestricted());
    users.set_default_password("x");
    assert!(!users.is_open() && users.get(UserId::DEFAULT).is_unrestricted());
    assert_eq!(users.authenticate(b"default", b"x"), Some(UserId::DEFAULT));
    assert_eq!(users.authenticate(b"default", b""), None);
    for rule in ["-get", "resetkeys", "resetchannels"] {
        users.set(b"default", [rule.as_bytes()].into_iter()).expect("a rule");
        assert!(!users.get(UserId::DEFAULT).is_unrestricted());
        let back = ["allcommands", "allkeys", "allchannels"].map(str::as_bytes);
        users.set(b"default", back.into_iter()).expect("rules");
        assert!(users.get(UserId::DEFAULT).is_unrestricted());
    }
    users.lock();
    assert!(!users.is_open() && users.authenticate(b"default", b"x").is_none());
}

#[test]
fn a_deleted_users_number_has_no_rights_until_it_is_given_again() {
    let mut users = users();
    let words = ["on", "nopass", "+@all", "~*", "&*"].map(str::as_bytes);
    let bob = users.set(b"bob", words.into_iter()).expect("right");
    assert!(users.get(bob).is_unrestricted());
    assert_eq!(users.remove(b"bob"), Some(bob));
    assert!(requests().all(|request| users.get(bob).check(&request).is_err()));
    assert_eq!((users.remove(b"bob"), users.remove(b"default")), (None, None));
    assert_eq!(users.set(b"eve", std::iter::empty()), Ok(bob));
    assert_eq!(users.iter().len(), 2);
}

#[test]
fn a_pattern_of_channels_must_be_allowed_literally() {
    let mut users = users();
    let words = ["&a*", "&b"].map(str::as_bytes);
    let id = users.set(b"u", words.into_iter()).expect("right");
    let user = users.get(id);
    assert!(user.may_subscribe(b"ab", false) && user.may_subscribe(b"a*", true));
    assert!(!user.may_subscribe(b"ab", true) && !user.may_subscribe(b"*", true));
    assert!(!user.may_subscribe(b"c", false));
}

/// Read back from a file, the rest would be rules of its own.
#[test]
fn a_first_argument_is_one_word() {
    let mut users = users();
    for rule in ["+select|0 ~*", "+select|0\t~*", "+select|0\0", "+select|0\n+@all", "+select| "] {
        assert!(users.set(b"u", [rule.as_bytes()].into_iter()).is_err(), "{rule:?}");
    }
    assert_eq!(users.find(b"u"), None);
    users.set(b"u", [&b"+select|0"[..]].into_iter()).expect("a rule");
}
