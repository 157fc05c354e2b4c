//! SORT and SORT_RO: the elements of a list, set or sorted set in an order.
//! <https://redis.io/docs/latest/commands/sort/>

use super::one_effect::as_one_effect;
use super::store_value::{remove, store_list};
use crate::engine::Arg::{
    self, Named, One, OptionalBlock, OptionalChoice, OptionalNamed, OptionalNamedEach, OptionalWord,
};
use crate::engine::Group::Generic;
use crate::engine::access::may_read_every_key;
use crate::engine::uses::{OVERWRITE, READ_VALUE};
use crate::engine::{Arguments, Command, CommandError, Context, is_word};
use crate::keyspace::{DbIndex, Keyspace, Value, WrongType};
use crate::queue::{End, Queue};
use crate::queueing;
use crate::resp::{Request, parse_double_behind_spaces};
use crate::state::State;
use crate::stats::Stats;
use crate::value::{HashValue, Kind, SetValue, SortedSet, StringValue};
use std::cmp::Ordering;
use std::ops::Range;

const LIMIT: Arg = OptionalBlock("offset_count", &[Named("LIMIT", "offset"), One("count")]);
const BY: Arg = OptionalNamed("BY", "pattern");
const GET: Arg = OptionalNamedEach("GET", "pattern");
const ORDER: Arg = OptionalChoice(&["ASC", "DESC"]);
const COST: &str = "O(N+M*log(M)) where N is the number of elements, and M the number of those \
     returned; O(N) without an order";
const NAMED_BY_ELEMENTS: &str = "keys that the patterns of BY and GET name with each element";
const NAMED_BY_STORE: &str = "the key behind STORE, which can be anywhere among the options";

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::new("sort", -2, sort).group(Generic).since("1.0.0").write().deny_oom().dangerous()
        .category("list").more_categories(&["set", "sortedset"])
        .key(1, READ_VALUE).found_key(NAMED_BY_ELEMENTS, none, READ_VALUE)
        .found_key(NAMED_BY_STORE, target_at, OVERWRITE)
        .args(&[One("key"), BY, LIMIT, GET, ORDER, OptionalWord("ALPHA"), OptionalNamed("STORE", "destination")])
        .cost(COST).says("Returns or stores the elements of a list, set or sorted set in an order."),
    Command::new("sort_ro", -2, sort_ro).group(Generic).since("7.0.0").read_only().dangerous()
        .category("list").more_categories(&["set", "sortedset"])
        .key(1, READ_VALUE).found_key(NAMED_BY_ELEMENTS, none, READ_VALUE)
        .args(&[One("key"), BY, LIMIT, GET, ORDER, OptionalWord("ALPHA")])
        .cost(COST).says("Returns the elements of a list, set or sorted set in an order."),
];

/// The position of the key behind the last STORE.
fn target_at(request: &Request<'_>) -> Option<usize> {
    let (mut at, mut found) = (2, None);
    while let Some(word) = request.get(at) {
        if is_word(word, "store") && at + 1 < request.len() {
            found = Some(at + 1);
        }
        at += match () {
            () if is_word(word, "limit") => 3,
            () if ["store", "by", "get"].iter().any(|option| is_word(word, option)) => 2,
            () => 1,
        };
    }
    found
}

/// No request names the keys that patterns name.
fn none(_: &Request<'_>) -> Option<usize> {
    None
}

fn sort(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    run(ctx, request, true)
}

fn sort_ro(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    run(ctx, request, false)
}

fn run(ctx: &mut Context<'_>, request: &Request<'_>, may_store: bool) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let key = args.required()?;
    let is_script = ctx.origin.is_script();
    let mut options = Options::parse(args, may_store, || may_read_every_key(ctx, request))?;
    let State { keyspace, stats, .. } = &mut *ctx.state;
    let db = ctx.db;
    let value = keyspace.get(db, key);
    stats.count_lookup(value.is_some());
    let is_set = value.is_some_and(|value| SetValue::of(value).is_some());
    if is_set && options.order == Order::AsStored && (options.store.is_some() || is_script) {
        // The order of a set differs from server to server: whoever repeats this gets the same result.
        options.order = Order::ByElement { is_alphabetic: true };
    }
    let elements = value.map(|value| Elements::read(value, &options)).transpose()?;
    let mut elements = elements.unwrap_or_default();
    keyspace.work.elements(elements.all.len() * (1 + options.lookups_per_element()));
    let mut names = Names { keyspace: &mut *keyspace, stats, db, key: Vec::new() };
    let range = match options.order {
        Order::AsStored => 0..elements.all.len(),
        _ => options.range(elements.all.len()),
    };
    if options.order != Order::AsStored {
        elements.weigh(options.order, &mut names)?;
        elements.arrange(options.is_descending, range.clone());
    }
    let wanted = elements.all.get(range).unwrap_or_default();
    let count = wanted.len() * options.get.len().max(1);
    let Some(target) = options.store else {
        ctx.reply.array(count);
        each_result(wanted, &elements.text, &options, &mut names, |result| match result {
            Some(result) => ctx.reply.bulk(result),
            None => ctx.reply.null(),
        });
        return Ok(());
    };
    let mut list = Queue::new();
    list.set_filling(true);
    each_result(wanted, &elements.text, &options, &mut names, |result| {
        list.push(End::Back, result.unwrap_or_default());
    });
    list.set_filling(false);
    queueing::check_name(keyspace, target)?;
    as_one_effect(ctx, |ctx| match list.is_empty() {
        true => {
            remove(&mut ctx.state.keyspace, db, target);
            Ok(())
        }
        false => store_list(&mut ctx.state.keyspace, db, target, list, true),
    })?;
    ctx.reply.count(count);
    Ok(())
}

/// By what the elements are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order<'a> {
    /// Not at all: BY with a pattern that names one key for all.
    AsStored,
    ByElement {
        is_alphabetic: bool,
    },
    ByNamed {
        pattern: Pattern<'a>,
        is_alphabetic: bool,
    },
}

#[derive(Debug)]
struct Options<'a> {
    order: Order<'a>,
    is_descending: bool,
    /// How many are left out, and how many follow; all if negative.
    limit: (i64, i64),
    get: Vec<Pattern<'a>>,
    store: Option<&'a [u8]>,
}

impl<'a> Options<'a> {
    /// Parses the arguments behind the key. A user must be allowed to read every key to name some by patterns.
    fn parse(
        mut args: Arguments<'a>,
        may_store: bool,
        may_read_every_key: impl Fn() -> bool,
    ) -> Result<Options<'a>, CommandError> {
        let (mut by, mut is_alphabetic) = (None, false);
        let mut options = Options {
            order: Order::AsStored,
            is_descending: false,
            limit: (0, -1),
            get: Vec::new(),
            store: None,
        };
        while args.left() > 0 {
            if args.takes("asc") {
                options.is_descending = false;
            } else if args.takes("desc") {
                options.is_descending = true;
            } else if args.takes("alpha") {
                is_alphabetic = true;
            } else if args.left() > 2 && args.takes("limit") {
                options.limit = (args.integer()?, args.integer()?);
            } else if may_store && args.left() > 1 && args.takes("store") {
                options.store = Some(args.required()?);
            } else if args.left() > 1 && args.takes("by") {
                let pattern = args.required()?;
                by = Some(pattern);
                if pattern.contains(&b'*') && !may_read_every_key() {
                    return Err(denied("BY"));
                }
            } else if args.left() > 1 && args.takes("get") {
                if !may_read_every_key() {
                    return Err(denied("GET"));
                }
                options.get.push(Pattern::parse(args.required()?));
            } else {
                return Err(CommandError::Syntax);
            }
        }
        options.order = match by {
            None => Order::ByElement { is_alphabetic },
            Some(pattern) if pattern.contains(&b'*') => {
                Order::ByNamed { pattern: Pattern::parse(pattern), is_alphabetic }
            }
            Some(_) => Order::AsStored,
        };
        Ok(options)
    }

    /// The positions of those of so many elements that are returned.
    fn range(&self, len: usize) -> Range<usize> {
        let len_max = i64::try_from(len).unwrap_or(i64::MAX);
        let (left_out, count) = (self.limit.0.clamp(0, len_max), self.limit.1.min(len_max));
        let end = if count < 0 { len_max } else { len_max.min(left_out + count) };
        let position = |at| usize::try_from(at).unwrap_or_default();
        position(left_out)..position(end)
    }

    /// How many keys are looked up for each element.
    fn lookups_per_element(&self) -> usize {
        self.get.len() + usize::from(matches!(self.order, Order::ByNamed { .. }))
    }
}

fn denied(option: &str) -> CommandError {
    format!("ERR {option} option of SORT denied due to insufficient ACL permissions.").into()
}

/// The name of a value that belongs to an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pattern<'a> {
    /// `#`: the element itself.
    Element,
    /// A name without `*` is that of no value.
    Nothing,
    /// The element stands between two parts of a key; the value is that of a field, or of the key.
    Key { before: &'a [u8], behind: &'a [u8], field: Option<&'a [u8]> },
}

impl<'a> Pattern<'a> {
    fn parse(text: &'a [u8]) -> Pattern<'a> {
        if text == b"#" {
            return Pattern::Element;
        }
        let star = text.iter().position(|&byte| byte == b'*');
        let Some((before, [_, behind @ ..])) = star.and_then(|at| text.split_at_checked(at)) else {
            return Pattern::Nothing;
        };
        let arrow = behind.windows(2).position(|two| two == b"->");
        match arrow.and_then(|at| behind.split_at_checked(at)) {
            Some((behind, [b'-', b'>', field @ ..])) if !field.is_empty() => {
                Pattern::Key { before, behind, field: Some(field) }
            }
            _ => Pattern::Key { before, behind, field: None },
        }
    }
}

/// Looks up values that patterns name.
struct Names<'a> {
    keyspace: &'a mut Keyspace,
    stats: &'a mut Stats,
    db: DbIndex,
    /// The key, which is used again.
    key: Vec<u8>,
}

impl Names<'_> {
    /// Passes the value that a pattern names for an element to `see`, if there is one.
    fn find<R>(
        &mut self,
        pattern: Pattern<'_>,
        element: &[u8],
        see: impl FnOnce(Option<&[u8]>) -> R,
    ) -> R {
        let (before, behind, field) = match pattern {
            Pattern::Element => return see(Some(element)),
            Pattern::Nothing => return see(None),
            Pattern::Key { before, behind, field } => (before, behind, field),
        };
        self.key.clear();
        for part in [before, element, behind] {
            self.key.extend_from_slice(part);
        }
        let value = self.keyspace.get(self.db, &self.key);
        self.stats.count_lookup(value.is_some());
        match (value, field) {
            (None, _) => see(None),
            (Some(value), None) => match StringValue::of(value) {
                Some(string) => string.with(|text| see(Some(text))),
                None => see(None),
            },
            (Some(value), Some(field)) => {
                match HashValue::of(value).and_then(|hash| hash.get(field)) {
                    Some(item) => item.with(|text| see(Some(text))),
                    None => see(None),
                }
            }
        }
    }
}

/// What an element is compared by.
#[derive(Clone, Debug)]
enum Weight {
    /// Its text.
    Own,
    Number(f64),
    /// The place of another text. An element that has none comes first.
    Named(Option<Range<usize>>),
}

#[derive(Clone, Debug)]
struct Element {
    /// The place of its text.
    place: Range<usize>,
    weight: Weight,
}

/// Elements that can be ordered: their texts stay where they are.
#[derive(Debug, Default)]
struct Elements {
    text: Vec<u8>,
    /// The texts that elements are compared by, if those are not their own.
    named: Vec<u8>,
    all: Vec<Element>,
}

impl Elements {
    /// Reads those of a value. If they stay as they are stored, only those that are returned.
    fn read(value: &Value, options: &Options<'_>) -> Result<Elements, WrongType> {
        let mut elements = Elements::default();
        let is_backwards = options.order == Order::AsStored && options.is_descending;
        let wanted = |len| match options.order {
            Order::AsStored => options.range(len),
            _ => 0..len,
        };
        // From the end.
        let turned = |Range { start, end }: Range<usize>, len| match is_backwards {
            true => len - end..len - start,
            false => start..end,
        };
        if let Some(list) = Queue::of(value) {
            let range = turned(wanted(list.len()), list.len());
            list.iter_from(range.start).take(range.len()).for_each(|text| elements.add(text));
        } else if let Some(set) = SortedSet::of(value) {
            let range = turned(wanted(set.len()), set.len());
            set.range(range).for_each(|(_, member)| elements.add(member));
        } else if let Some(set) = SetValue::of(value) {
            let Range { start, end } = wanted(set.len());
            let members = set.iter().skip(start).take(end - start);
            members.for_each(|member| member.with(|member| elements.add(member)));
            return Ok(elements);
        } else {
            return Err(WrongType);
        }
        if is_backwards {
            elements.all.reverse();
        }
        Ok(elements)
    }

    fn add(&mut self, text: &[u8]) {
        let start = self.text.len();
        self.text.extend_from_slice(text);
        self.all.push(Element { place: start..self.text.len(), weight: Weight::Own });
    }

    /// Finds out what the elements are compared by.
    fn weigh(&mut self, order: Order<'_>, names: &mut Names<'_>) -> Result<(), CommandError> {
        const NOT_A_NUMBER: CommandError =
            CommandError::text("ERR One or more scores can't be converted into double");
        let number = |text: &[u8]| parse_double_behind_spaces(text).ok_or(NOT_A_NUMBER);
        let Elements { text, named, all } = self;
        for element in all {
            let own = text.get(element.place.clone()).unwrap_or_default();
            element.weight = match order {
                Order::AsStored | Order::ByElement { is_alphabetic: true } => return Ok(()),
                Order::ByElement { is_alphabetic: false } => Weight::Number(number(own)?),
                Order::ByNamed { pattern, is_alphabetic: true } => {
                    let start = named.len();
                    let is_there = names.find(pattern, own, |found| {
                        named.extend_from_slice(found.unwrap_or_default());
                        found.is_some()
                    });
                    Weight::Named(is_there.then_some(start..named.len()))
                }
                Order::ByNamed { pattern, is_alphabetic: false } => {
                    Weight::Number(names.find(pattern, own, |found| found.map_or(Ok(0.0), number))?)
                }
            };
        }
        Ok(())
    }

    /// Puts the elements in order, at least those within a range.
    fn arrange(&mut self, is_descending: bool, range: Range<usize>) {
        let Elements { text, named, all } = self;
        let text_of = |element: &Element| text.get(element.place.clone()).unwrap_or_default();
        let named_at = |place: &Option<Range<usize>>| place.clone().map(|place| named.get(place));
        let compare = |a: &Element, b: &Element| match (&a.weight, &b.weight) {
            (Weight::Number(own), Weight::Number(other)) => {
                let order = own.partial_cmp(other).unwrap_or(Ordering::Equal);
                order.then_with(|| text_of(a).cmp(text_of(b)))
            }
            (Weight::Named(own), Weight::Named(other)) => named_at(own).cmp(&named_at(other)),
            _ => text_of(a).cmp(text_of(b)),
        };
        let compare = |a: &Element, b: &Element| {
            let order = if is_descending { compare(b, a) } else { compare(a, b) };
            // Equal ones stay in their order.
            order.then_with(|| a.place.start.cmp(&b.place.start))
        };
        if range.end < all.len() {
            all.select_nth_unstable_by(range.end, compare);
            all.truncate(range.end);
        }
        if 0 < range.start && range.start < all.len() {
            all.select_nth_unstable_by(range.start, compare);
        }
        all.get_mut(range).unwrap_or_default().sort_unstable_by(compare);
    }
}

/// Passes what is returned to `see`: the elements, or the values that GET names.
fn each_result(
    elements: &[Element],
    text: &[u8],
    options: &Options<'_>,
    names: &mut Names<'_>,
    mut see: impl FnMut(Option<&[u8]>),
) {
    for element in elements {
        let own = text.get(element.place.clone()).unwrap_or_default();
        if options.get.is_empty() {
            see(Some(own));
        }
        for pattern in &options.get {
            names.find(*pattern, own, &mut see);
        }
    }
}
