//! Streams beside a naive model.

use super::*;
use proptest::prelude::*;

type Model = BTreeMap<StreamId, Vec<Vec<u8>>>;

const SMALL: BlockLimits = BlockLimits { bytes: 200, entries: 5 };

fn fields_of(number: u64) -> Vec<Vec<u8>> {
    let value = format!("{}{}", number * 7919, "x".repeat(number as usize % 40));
    match number % 5 {
        0 => vec![b"other".to_vec(), value.into_bytes()],
        1 => vec![b"a".to_vec(), b"-12".to_vec(), b"b".to_vec(), b"".to_vec()],
        2 => vec![b"a".to_vec(), (number << (number % 50)).to_string().into_bytes()],
        _ => {
            vec![b"a".to_vec(), number.to_string().into_bytes(), b"b".to_vec(), value.into_bytes()]
        }
    }
}

fn read(entry: Entry<'_>) -> (StreamId, Vec<Vec<u8>>) {
    let parts = entry.fields.flat_map(|(name, value)| [name, value]);
    (entry.id, parts.map(|part| part.with(<[u8]>::to_vec)).collect())
}

fn copy(model: &Model) -> Vec<(StreamId, Vec<Vec<u8>>)> {
    model.iter().map(|(id, fields)| (*id, fields.clone())).collect()
}

fn check(stream: &Stream, model: &Model) {
    stream.0.entries.check_invariants();
    assert_eq!(stream.len(), model.len() as u64);
    let all: Vec<_> = stream.range(StreamId::MIN, StreamId::MAX).map(read).collect();
    assert_eq!(all, copy(model));
    let mut back: Vec<_> = stream.range_back(StreamId::MAX, StreamId::MIN).map(read).collect();
    back.reverse();
    assert_eq!(back, copy(model));
    assert_eq!(stream.first_entry_id(), model.keys().next().copied().unwrap_or_default());
    assert_eq!(stream.last_entry_id(), model.keys().next_back().copied().unwrap_or_default());
}

fn trim_model(model: &mut Model, keep: Keep) -> u64 {
    let before = model.len();
    match keep {
        Keep::Latest(count) => {
            while model.len() as u64 > count {
                model.pop_first();
            }
        }
        Keep::From(id) => *model = model.split_off(&id),
    }
    (before - model.len()) as u64
}

proptest! {
    #[test]
    fn a_stream_is_an_ordered_map(
        steps in prop::collection::vec((0u8..12, 0u64..400, 0u64..4), 0..400),
    ) {
        let (mut stream, mut model) = (Stream::default(), Model::new());
        let mut shared: Option<(Stream, Model)> = None;
        for (kind, number, other) in steps {
            let at = StreamId { ms: number / 4, seq: number % 4 * 1_000_000 };
            match kind {
                0..=6 => {
                    let last = stream.last_id();
                    let id = StreamId { ms: last.ms + other / 3, seq: (last.seq + number) % 5000 };
                    let fields = fields_of(number);
                    let parts = fields.iter().map(Vec::as_slice);
                    let added = stream.append(NewId::Exactly(id), 0, parts, SMALL);
                    prop_assert_eq!(added.is_ok(), id > last);
                    if added.is_ok() {
                        model.insert(id, fields);
                    }
                }
                7..=8 => {
                    let id = model.range(at..).next().map_or(at, |(id, _)| *id);
                    prop_assert_eq!(stream.delete(id), model.remove(&id).is_some());
                }
                9 => {
                    let keep = Keep::Latest((model.len() as u64).saturating_sub(other * 3));
                    prop_assert_eq!(stream.trim(keep, false, 0), trim_model(&mut model, keep));
                }
                10 => {
                    let first = stream.first_entry_id();
                    let keep = Keep::From(StreamId { ms: first.ms + other, seq: number });
                    prop_assert_eq!(stream.trim(keep, false, 0), trim_model(&mut model, keep));
                }
                _ => {
                    let keep = Keep::Latest(number / 10);
                    let before = model.len() as u64;
                    let deleted = stream.trim(keep, true, 0);
                    prop_assert!(before - deleted >= number.min(before * 10) / 10);
                    trim_model(&mut model, Keep::Latest(before - deleted));
                    shared = Some((stream.share(), model.clone()));
                }
            }
            let range: Vec<_> = stream.range(at, StreamId::MAX).take(3).map(read).collect();
            let expected = model.range(at..).take(3);
            let expected: Vec<_> = expected.map(|(id, fields)| (*id, fields.clone())).collect();
            prop_assert_eq!(range, expected);
            let range: Vec<_> = stream.range_back(at, StreamId::MIN).take(3).map(read).collect();
            let expected = model.range(..=at).rev().take(3);
            let expected: Vec<_> = expected.map(|(id, fields)| (*id, fields.clone())).collect();
            prop_assert_eq!(range, expected);
            prop_assert_eq!(stream.contains(at), model.contains_key(&at));
        }
        check(&stream, &model);
        if let Some((stream, model)) = shared {
            check(&stream, &model);
        }
        while !stream.drop_some() {}
        prop_assert_eq!(stream.0.entries.len(), 0);
    }

    /// Consumers read, claim and acknowledge, while entries come and go.
    #[test]
    fn a_group_keeps_its_pending_entries(
        steps in prop::collection::vec((0u8..9, 0u64..6, 1usize..5), 0..300),
    ) {
        let mut stream = Stream::default();
        stream.create_group(b"g", StreamId::MIN, None);
        let mut model: BTreeMap<StreamId, Vec<u8>> = BTreeMap::new();
        let mut shared = Vec::new();
        for (number, (kind, other, count)) in steps.into_iter().enumerate() {
            let name = [b'a' + other as u8];
            let pending: Vec<_> = model.keys().copied().collect();
            let some = pending.get(number % pending.len().max(1)).copied().unwrap_or_default();
            match kind {
                0..=2 => {
                    let fields = fields_of(number as u64);
                    let parts = fields.iter().map(Vec::as_slice);
                    stream.append(NewId::Now, number as u64 / 3 + 1, parts, SMALL).expect("a new id");
                }
                3..=4 => {
                    let expected: Vec<_> = {
                        let group = stream.group(b"g").expect("a group");
                        stream.range_after(group.last_id).take(count).map(|entry| entry.id).collect()
                    };
                    let mut got = Vec::new();
                    let to = Recipient { group: b"g", consumer: &name, now_ms: 1, is_pending: true };
                    stream.deliver(&to, count, |entry| got.push(entry.id));
                    prop_assert_eq!(&got, &expected);
                    model.extend(got.into_iter().map(|id| (id, name.to_vec())));
                }
                5 => {
                    let is_pending = stream.change_group(b"g", |group| group.acknowledge(some));
                    prop_assert_eq!(is_pending, Some(model.remove(&some).is_some()));
                }
                6 if model.contains_key(&some) => {
                    stream.change_group(b"g", |group| {
                        let (consumer, _) = group.see_consumer(&name, 2);
                        group.deliver(some, Delivery { ms: 2, count: 2, consumer });
                    });
                    model.insert(some, name.to_vec());
                }
                6 => {}
                7 => {
                    let deleted = stream.change_group(b"g", |group| group.delete_consumer(&name));
                    let before = model.len();
                    model.retain(|_, owner| *owner != name);
                    prop_assert_eq!(deleted.flatten().unwrap_or(0), before - model.len());
                }
                _ => {
                    stream.trim(Keep::Latest(other), other % 2 == 0, 0);
                    shared.push((stream.share(), model.clone()));
                }
            }
            let group = stream.group(b"g").expect("a group");
            group.check_invariants();
        }
        shared.push((stream.share(), model));
        for (mut stream, model) in shared {
            let group = stream.group(b"g").expect("a group");
            let name = |number| group.consumer(number).name.to_vec();
            let pending = group.pending().range_from(StreamId::MIN);
            let found: BTreeMap<_, _> = pending.map(|(id, one)| (id, name(one.consumer))).collect();
            prop_assert_eq!(found, model);
            let bytes = group_bytes(b"g", group);
            prop_assert_eq!(bytes, stream.0.group_bytes);
            while !stream.drop_some() {}
            prop_assert_eq!(stream.0.group_bytes, 0);
        }
    }
}
