//! What one guess of a PIN costs: Argon2's parameters, bounded where they come from a file.

/// What one guess costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KdfCost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// A file that asks for more is refused: reading it must not exhaust the machine.
const MAX_MEMORY_KIB: u32 = 1 << 20;
const MAX_WORK_KIB: u64 = 8 << 20;
const MAX_LANES: u32 = 8;

impl KdfCost {
    /// Chosen by measurement (`benches/cost.rs`): 8 passes over 64 MiB took 0.33 s on two cores of 2026.
    pub const fn production() -> Self {
        Self {
            memory_kib: 64 << 10,
            passes: 8,
            lanes: 1,
        }
    }

    /// As cheap as Argon2 goes: protects nothing.
    pub const fn for_tests() -> Self {
        Self {
            memory_kib: 8,
            passes: 1,
            lanes: 1,
        }
    }

    /// What a file says; `None` if it is impossible or unreasonable.
    pub(crate) fn read(memory_kib: u32, passes: u32, lanes: u32) -> Option<Self> {
        let work = u64::from(memory_kib) * u64::from(passes);
        let possible = lanes >= 1 && passes >= 1 && memory_kib >= 8 * lanes.min(MAX_LANES);
        let reasonable = memory_kib <= MAX_MEMORY_KIB && work <= MAX_WORK_KIB && lanes <= MAX_LANES;
        (possible && reasonable).then_some(Self {
            memory_kib,
            passes,
            lanes,
        })
    }

    pub(crate) const fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    pub(crate) const fn passes(self) -> u32 {
        self.passes
    }

    pub(crate) const fn lanes(self) -> u32 {
        self.lanes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreasonable_costs_are_refused() {
        let production = KdfCost::production();
        let KdfCost {
            memory_kib,
            passes,
            lanes,
        } = production;
        assert_eq!(KdfCost::read(memory_kib, passes, lanes), Some(production));
        for (memory_kib, passes, lanes) in [
            (u32::MAX, 1, 1),
            (MAX_MEMORY_KIB + 1, 1, 1),
            (65_536, u32::MAX, 1),
            (65_536, 1, u32::MAX),
            (7, 1, 1),
            (0, 1, 1),
            (64, 0, 1),
            (64, 1, 0),
        ] {
            assert_eq!(KdfCost::read(memory_kib, passes, lanes), None);
        }
    }
}
