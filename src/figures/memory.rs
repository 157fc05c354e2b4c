//! Memory: how much is in use, how much of it is data, how much the process takes.

use super::figure::Unit::{Bytes, Percent, Ratio};
use super::figure::{Figure, gauge, text};
use super::reading::percent;

#[rustfmt::skip]
pub(super) static FIGURES: &[Figure] = &[
    gauge("used_memory", "memory_used_bytes", Bytes,
        "Memory in use: the process at its start, the data, the clients' buffers.",
        |r| r.used_bytes().into()),
    gauge("used_memory_rss", "memory_resident_bytes", Bytes,
        "Physical memory of the process; 0 if unknown.", |r| r.resident_bytes().into()),
    gauge("used_memory_peak", "memory_peak_bytes", Bytes,
        "The most memory in use so far.", |r| r.peak_bytes().into()),
    gauge("used_memory_peak_perc", "", Percent, "Memory in use, as a part of the most so far.",
        |r| percent(r.used_bytes(), r.peak_bytes()).into()),
    gauge("used_memory_overhead", "", Bytes, "Memory in use that is not the dataset.",
        |r| (r.used_bytes() - r.dataset_bytes()).into()),
    gauge("used_memory_startup", "memory_startup_bytes", Bytes,
        "Physical memory of the process when it began; 0 if unknown.",
        |r| r.state.startup_bytes.into()),
    gauge("used_memory_dataset", "memory_dataset_bytes", Bytes,
        "Memory of the names and values of keys.", |r| r.dataset_bytes().into()),
    gauge("used_memory_dataset_perc", "", Percent,
        "The dataset, as a part of the memory taken since the start.",
        |r| r.dataset_percent().into()),
    gauge("maxmemory", "memory_max_bytes", Bytes,
        "Limit on the data and the clients' buffers; 0 if there is none.",
        |r| r.state.settings.maxmemory_bytes.into()),
    gauge("maxmemory_used", "memory_limited_bytes", Bytes, "Memory to which the limit applies.",
        |r| r.state.used_bytes().into()),
    gauge("total_system_memory", "memory_machine_bytes", Bytes,
        "Physical memory of the machine; 0 if unknown.",
        |r| r.state.host.machine_bytes().into()),

    text("mem_allocator", "The allocator, and its version.", |r| r.state.host.allocator_name().into()),
    gauge("mem_fragmentation_ratio", "", Ratio, "Physical memory of the process relative to memory in use.",
        |r| r.fragmentation().into()),
    gauge("mem_fragmentation_bytes", "", Bytes, "Physical memory beyond the memory in use; may be negative.",
        |r| (r.resident_bytes() as i64).saturating_sub(r.used_bytes() as i64).into()),
    gauge("allocator_frag_bytes", "", Bytes, "Physical memory beyond the memory in use; 0 if there is none.",
        |r| r.resident_bytes().saturating_sub(r.used_bytes() as u64).into()),
];
