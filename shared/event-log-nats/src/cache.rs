//! A bounded map that forgets what was not used for longest, by whole generations.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Locks; a panic elsewhere does not make what is locked wrong, since each change is one step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Two generations: a full young one becomes the old one, and the old one is forgotten.
#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    generations: Mutex<Generations<K, V>>,
    /// The most weight of one generation.
    weight_max: usize,
}

#[derive(Debug)]
struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    weight: usize,
}

impl<K: Eq + Hash + Clone, V: Clone> Cache<K, V> {
    /// Holds at most twice this weight.
    pub(crate) fn new(weight_max: usize) -> Self {
        let generations =
            Mutex::new(Generations { young: HashMap::new(), old: HashMap::new(), weight: 0 });
        Self { generations, weight_max }
    }

    /// What is kept under the key.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let generations = lock(&self.generations);
        generations.young.get(key).or_else(|| generations.old.get(key)).cloned()
    }

    /// Keeps a value; `weight` is what it counts, in the unit of the limit.
    pub(crate) fn put(&self, key: K, value: V, weight: usize) {
        let mut generations = lock(&self.generations);
        if generations.weight.saturating_add(weight) > self.weight_max {
            generations.old = std::mem::take(&mut generations.young);
            generations.weight = 0;
        }
        generations.weight = generations.weight.saturating_add(weight);
        generations.young.insert(key, value);
    }

    /// Forgets one key.
    pub(crate) fn forget(&self, key: &K) {
        let mut generations = lock(&self.generations);
        generations.young.remove(key);
        generations.old.remove(key);
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        let mut generations = lock(&self.generations);
        generations.young.clear();
        generations.old.clear();
        generations.weight = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_the_recent_and_is_bounded() {
        let cache = Cache::new(4);
        (0..100).for_each(|key| cache.put(key, key, 1));
        assert_eq!(cache.get(&99), Some(99));
        assert_eq!(cache.get(&0), None);
        let kept = (0..100).filter(|key| cache.get(key).is_some()).count();
        assert!(kept <= 8, "{kept}");
    }
}
