//! The pictures in `docs/pictures`, drawn from the data files beside them.

mod flash_sale;
mod memory;
mod svg;
mod throughput;

use super::{data, root};
use crate::measurements::Measurements;
use libtest_mimic::Failed;
use std::fs;
use svg::Picture;

type Draw = fn(&Measurements) -> Picture;

/// The name of a data file and of its picture, and how it is drawn.
const PICTURES: &[(&str, Draw)] =
    &[("throughput", throughput::draw), ("memory", memory::draw), ("flash_sale", flash_sale::draw)];

/// With `UPDATE_README` set, draws them.
pub fn are_up_to_date() -> Result<(), Failed> {
    for (name, draw) in PICTURES {
        let picture = draw(&data(name)).to_svg();
        let path = root().join(format!("docs/pictures/{name}.svg"));
        if std::env::var_os("UPDATE_README").is_some() {
            fs::write(&path, &picture).expect("the picture can be written");
        } else if fs::read_to_string(&path).ok() != Some(picture) {
            let remedy = "UPDATE_README=1 cargo test --test readme";
            return Err(format!("{} is outdated: {remedy}", path.display()).into());
        }
    }
    Ok(())
}

/// A run of the bench that measures some rows does not lose the others.
pub fn rows_not_measured_again_stay() -> Result<(), Failed> {
    let file = |rows: &str| Measurements::parse(&format!("# {COMMENT}\n{rows}"));
    let older = file("work,pipeline,measured,Tidegate\nSET,1,2026-01-02,8\nGET,1,2026-01-02,9\n")?;
    let mut newer =
        file("work,pipeline,measured,Tidegate\nGET,1,2026-03-04,7\nGET,16,2026-03-04,6\n")?;
    assert!(newer.keep_from(&older));
    let expected = "SET,1,2026-01-02,8\nGET,1,2026-03-04,7\nGET,16,2026-03-04,6\n";
    let expected = format!("# {COMMENT}\nwork,pipeline,measured,Tidegate\n{expected}");
    assert_eq!(newer.to_text(), expected);
    assert_eq!(newer.days(newer.rows.iter()), "2 January 2026 and 4 March 2026");

    let other = file("work,pipeline,measured,another server\nSET,1,2026-01-02,8\n")?;
    assert!(!newer.keep_from(&other));
    assert_eq!(newer.to_text(), expected);
    assert!(file("work,pipeline,measured,Tidegate\nSET,1,2026-01-02\n").is_err());
    Ok(())
}

const COMMENT: &str = "Machine: any";
