//! Tests of the stream of effects.

use super::*;
use crate::queue::{DeadLetter, Reason, Stamp};
use std::sync::Arc;

fn recording() -> (Effects, EffectsReader) {
    let mut effects = Effects::default();
    let reader = effects.begin_reading();
    (effects, reader)
}

fn text(effects: &mut Effects, reader: &EffectsReader) -> String {
    let mut taken = Vec::new();
    effects.seal();
    effects.take_into(reader, &mut taken);
    String::from_utf8_lossy(&taken).replace("\r\n", " ")
}

#[test]
fn a_database_is_selected_when_it_changes() {
    let (mut effects, reader) = recording();
    effects.add(0, [&b"DEL"[..], b"a"]);
    effects.add(0, [&b"DEL"[..], b"b"]);
    let first = "*2 $6 select $1 0 *2 $3 DEL $1 a *2 $3 DEL $1 b ";
    assert_eq!(text(&mut effects, &reader), first);
    effects.add(0, [&b"DEL"[..], b"c"]);
    assert_eq!(text(&mut effects, &reader), "*2 $3 DEL $1 c ");
}

#[test]
fn only_several_effects_of_one_exec_are_a_transaction() {
    let (mut effects, reader) = recording();
    effects.begin_group();
    effects.end_group();
    assert_eq!(text(&mut effects, &reader), "");
    effects.begin_group();
    effects.add(3, [&b"DEL"[..], b"a"]);
    effects.end_group();
    assert_eq!(text(&mut effects, &reader), "*2 $6 select $1 3 *2 $3 DEL $1 a ");
    effects.begin_group();
    effects.add(3, [&b"DEL"[..], b"a"]);
    effects.add(3, [&b"DEL"[..], b"b"]);
    effects.end_group();
    let all = "*1 $5 MULTI *2 $3 DEL $1 a *2 $3 DEL $1 b *1 $4 EXEC ";
    assert_eq!(text(&mut effects, &reader), all);
}

fn push(effects: &mut Effects, end: End, key: &[u8], messages: &[&[u8]]) {
    effects.record_push(0, end, key, messages.iter().copied());
}

#[test]
fn pushes_that_follow_each_other_are_one() {
    let (mut effects, reader) = recording();
    push(&mut effects, End::Back, b"q", &[b"a"]);
    push(&mut effects, End::Back, b"q", &[b"b", b"c"]);
    push(&mut effects, End::Front, b"q", &[b"d"]);
    push(&mut effects, End::Front, b"other", &[b"e"]);
    let joined = "*5 $5 RPUSH $1 q $1 a $1 b $1 c *3 $5 LPUSH $1 q $1 d \
        *3 $5 LPUSH $5 other $1 e ";
    assert_eq!(text(&mut effects, &reader), format!("*2 $6 select $1 0 {joined}"));
    // Bytes already taken do not change any more.
    push(&mut effects, End::Front, b"other", &[b"f"]);
    assert_eq!(text(&mut effects, &reader), "*3 $5 LPUSH $5 other $1 f ");
}

#[test]
fn the_number_of_arguments_grows_in_digits() {
    let (mut effects, reader) = recording();
    for _ in 0..98 {
        push(&mut effects, End::Back, b"jobs", &[b"m"]);
    }
    push(&mut effects, End::Back, b"jobs", &[b"last"]);
    let messages = "$1 m ".repeat(98);
    let expected = format!("*2 $6 select $1 0 *101 $5 RPUSH $4 jobs {messages}$4 last ");
    assert_eq!(text(&mut effects, &reader), expected);
}

#[test]
fn a_push_does_not_grow_without_bound() {
    let (mut effects, reader) = recording();
    let message = vec![b'm'; JOINED_BYTES_MAX];
    push(&mut effects, End::Back, b"q", &[&message]);
    push(&mut effects, End::Back, b"q", &[b"a"]);
    push(&mut effects, End::Back, b"q", &[b"b"]);
    assert!(text(&mut effects, &reader).ends_with("m *4 $5 RPUSH $1 q $1 a $1 b "));
}

#[test]
fn pops_that_follow_each_other_are_one_with_a_count() {
    let (mut effects, reader) = recording();
    effects.record_pop(0, End::Front, b"q", 1);
    effects.record_pop(0, End::Back, b"q", 1);
    effects.record_pop(0, End::Back, b"q", 1);
    effects.record_pop(0, End::Back, b"q", 8);
    effects.add(0, [&b"DEL"[..], b"a"]);
    effects.record_pop(0, End::Back, b"q", 1);
    effects.record_pop(1, End::Back, b"q", 1);
    let expected = "*2 $6 select $1 0 *2 $4 LPOP $1 q *3 $4 RPOP $1 q $2 10 *2 $3 DEL $1 a \
        *2 $4 RPOP $1 q *2 $6 select $1 1 *2 $4 RPOP $1 q ";
    assert_eq!(text(&mut effects, &reader), expected);
}

#[test]
fn nothing_joins_across_the_border_of_an_exec() {
    let (mut effects, reader) = recording();
    effects.record_pop(0, End::Front, b"q", 1);
    effects.begin_group();
    effects.record_pop(0, End::Front, b"q", 1);
    effects.record_pop(0, End::Front, b"q", 1);
    effects.end_group();
    effects.record_pop(0, End::Front, b"q", 1);
    let expected = "*2 $6 select $1 0 *2 $4 LPOP $1 q *3 $4 LPOP $1 q $1 2 *2 $4 LPOP $1 q ";
    assert_eq!(text(&mut effects, &reader), expected);
}

#[test]
fn nothing_is_kept_while_it_is_off() {
    let mut effects = Effects::default();
    effects.begin_group();
    effects.add(0, [&b"DEL"[..], b"a"]);
    effects.end_group();
    assert_eq!(effects.held_bytes(), 0);
}

#[test]
fn what_was_sealed_does_not_change_behind_a_reader() {
    let (mut effects, reader) = recording();
    let slow = effects.begin_reading();
    push(&mut effects, End::Back, b"q", &[b"a"]);
    let first = "*2 $6 select $1 0 *3 $5 RPUSH $1 q $1 a ";
    assert_eq!(text(&mut effects, &reader), first);
    push(&mut effects, End::Back, b"q", &[b"b"]);
    effects.record_pop(0, End::Front, b"q", 1);
    effects.seal();
    effects.record_pop(0, End::Front, b"q", 1);
    let second = "*3 $5 RPUSH $1 q $1 b *2 $4 LPOP $1 q *2 $4 LPOP $1 q ";
    assert_eq!(text(&mut effects, &reader), second);
    assert_eq!(text(&mut effects, &slow), format!("{first}{second}"));
    assert_eq!(effects.held_bytes(), 0);
}

#[test]
fn a_late_reader_and_a_new_file_begin_with_the_choice_of_a_database() {
    let (mut effects, reader) = recording();
    effects.add(1, [&b"DEL"[..], b"a"]);
    let late = effects.begin_reading();
    effects.add(1, [&b"DEL"[..], b"b"]);
    effects.begin_file();
    effects.add(1, [&b"DEL"[..], b"c"]);
    effects.begin_group();
    effects.add(1, [&b"DEL"[..], b"d"]);
    effects.add(0, [&b"DEL"[..], b"e"]);
    effects.end_group();
    let of = |db: u8, key: char| format!("*2 $6 select $1 {db} *2 $3 DEL $1 {key} ");
    let group = format!("*1 $5 MULTI *2 $3 DEL $1 d {}*1 $4 EXEC ", of(0, 'e'));
    let rest = format!("{}{}{group}", of(1, 'b'), of(1, 'c'));
    assert_eq!(text(&mut effects, &late), rest);
    assert_eq!(text(&mut effects, &reader), format!("{}{rest}", of(1, 'a')));
    assert_eq!(effects.file(), 1);
    effects.end_reading(reader);
    assert!(effects.is_on());
    effects.end_reading(late);
    assert!(!effects.is_on());
    effects.add(1, [&b"DEL"[..], b"f"]);
    assert_eq!((effects.held_bytes(), effects.unsealed_bytes()), (0, 0));
}

fn moves(effects: &mut Effects, end: End, count: usize, are_all: bool) {
    let (key, list) = (&b"q"[..], &b"q:inflight"[..]);
    effects.record_moves(&Moves { db: 0, key, end, list, count, are_all });
}

#[test]
fn pops_of_a_list_are_one_though_messages_come_to_its_back() {
    let (mut effects, reader) = recording();
    let pop = |effects: &mut Effects| effects.record_pop(0, End::Front, b"q:inflight", 1);
    pop(&mut effects);
    moves(&mut effects, End::Front, 1, false);
    pop(&mut effects);
    moves(&mut effects, End::Back, 1, false);
    let expected = "*2 $6 select $1 0 *5 $5 LMOVE $1 q $10 q:inflight $4 LEFT $5 RIGHT \
        *5 $5 LMOVE $1 q $10 q:inflight $5 RIGHT $5 RIGHT *3 $4 LPOP $10 q:inflight $1 2 ";
    assert_eq!(text(&mut effects, &reader), expected);
    // Also in an EXEC, where a single effect needs no transaction.
    effects.begin_group();
    pop(&mut effects);
    moves(&mut effects, End::Front, 0, false);
    effects.end_group();
    assert_eq!(text(&mut effects, &reader), "*2 $4 LPOP $10 q:inflight ");
}

#[test]
fn a_push_of_what_moves_at_once_is_one_to_where_it_goes() {
    let (mut effects, reader) = recording();
    push(&mut effects, End::Back, b"q", &[b"a", b"b"]);
    moves(&mut effects, End::Front, 2, true);
    let expected = "*2 $6 select $1 0 *4 $5 RPUSH $10 q:inflight $1 a $1 b ";
    assert_eq!(text(&mut effects, &reader), expected);
    let moved = |end, count, are_all, taken| {
        let (mut effects, reader) = recording();
        push(&mut effects, End::Back, b"q", &[b"a", b"b"]);
        if taken {
            text(&mut effects, &reader);
        }
        moves(&mut effects, end, count, are_all);
        text(&mut effects, &reader).contains("LMOVE")
    };
    assert!(!moved(End::Front, 2, true, false));
    // The queue has others, the order changes, the push was taken already.
    assert!(moved(End::Front, 2, false, false));
    assert!(moved(End::Front, 1, true, false));
    assert!(moved(End::Back, 2, true, false));
    assert!(moved(End::Front, 2, true, true));
}

/// The note follows the push, and the next one says only what differs.
#[test]
fn dead_letters_that_follow_each_other_have_one_note() {
    let (mut effects, reader) = recording();
    let origin =
        |from: &[u8]| Some(Arc::new(DeadLetter { from: from.into(), reason: Reason::Expired }));
    let stamp = |ready_ms, from: &[u8]| Stamp {
        ready_ms,
        hops: 1,
        dead_letter: origin(from),
        ..Stamp::default()
    };
    let letter = |effects: &mut Effects, message: &[u8], stamp: &Stamp| {
        effects.record_stamped_push(0, (End::Back, b"dead"), message, stamp);
    };
    push(&mut effects, End::Back, b"dead", &[b"x"]);
    for message in [b"a", b"b"] {
        letter(&mut effects, message, &stamp(7, b"q r"));
    }
    push(&mut effects, End::Back, b"dead", &[b"y"]);
    letter(&mut effects, b"c", &stamp(7, b"q r"));
    letter(&mut effects, b"d", &stamp(8, b"q r"));
    letter(&mut effects, b"e", &stamp(8, b"s"));
    letter(&mut effects, b"f", &Stamp::default());
    let full = "tidegate letters 2 7 1 right expired 4 deadq r";
    let other = "tidegate letters 1 8 1 right expired 4 deads";
    let notes = format!(
        "*5 $5 RPUSH $4 dead $1 x $1 a $1 b *2 $4 ECHO ${} {full} \
         *4 $5 RPUSH $4 dead $1 y $1 c *2 $4 ECHO $20 tidegate letters 1 7 \
         *3 $5 RPUSH $4 dead $1 d *2 $4 ECHO $20 tidegate letters 1 8 \
         *3 $5 RPUSH $4 dead $1 e *2 $4 ECHO ${} {other} *3 $5 RPUSH $4 dead $1 f ",
        full.len(),
        other.len(),
    );
    assert_eq!(text(&mut effects, &reader), format!("*2 $6 select $1 0 {notes}"));
    // In another file, and at the end of an EXEC.
    effects.begin_file();
    effects.begin_group();
    letter(&mut effects, b"g", &stamp(8, b"s"));
    effects.end_group();
    let last = format!("*3 $5 RPUSH $4 dead $1 g *2 $4 ECHO ${} {other} ", other.len());
    let select = "*2 $6 select $1 0 ";
    assert_eq!(text(&mut effects, &reader), format!("*1 $5 MULTI {select}{last}*1 $4 EXEC "));
    // A consumer gets it at once: the push is not that of others.
    letter(&mut effects, b"h", &stamp(8, b"s"));
    let (key, list) = (&b"dead"[..], &b"l"[..]);
    effects.record_moves(&Moves { db: 0, key, end: End::Front, list, count: 1, are_all: true });
    let moved = "*3 $5 RPUSH $4 dead $1 h *2 $4 ECHO $20 tidegate letters 1 8 \
                 *5 $5 LMOVE $4 dead $1 l $4 LEFT $5 RIGHT ";
    assert_eq!(text(&mut effects, &reader), moved);
}
