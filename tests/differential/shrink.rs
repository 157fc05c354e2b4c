//! The shortest part of a failing run that still fails.

use super::run::Pair;
use super::step::Step;

/// Removes ever smaller parts, and then single commands, while the run still fails.
pub fn shrink(pair: &mut Pair, mut steps: Vec<Step>) -> Vec<Step> {
    let mut part = steps.len().div_ceil(2);
    loop {
        let mut start = 0;
        while start < steps.len() {
            let end = (start + part).min(steps.len());
            let fewer = [&steps[..start], &steps[end..]].concat();
            if fails(pair, &fewer) {
                steps = fewer;
            } else {
                start = end;
            }
        }
        if part <= 1 {
            break;
        }
        part = part.div_ceil(2);
    }
    for index in 0..steps.len() {
        shorten(pair, &mut steps, index);
    }
    steps.retain(|step| step.commands() > 0);
    steps
}

fn shorten(pair: &mut Pair, steps: &mut [Step], index: usize) {
    let mut at = 0;
    loop {
        let mut shorter = steps.to_vec();
        let Step::Send { commands, .. } = &mut shorter[index] else { return };
        if at >= commands.len() {
            return;
        }
        commands.remove(at);
        if fails(pair, &shorter) {
            steps.clone_from_slice(&shorter);
        } else {
            at += 1;
        }
    }
}

/// A pair that does not reply any more is replaced.
fn fails(pair: &mut Pair, steps: &[Step]) -> bool {
    match pair.play(steps) {
        Ok(()) => false,
        Err(difference) => {
            if difference.contains("gone") {
                pair.restart().expect("both servers start");
            }
            true
        }
    }
}
