//! Breadth-first through all states of a world, and what must hold of what is found.

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::world::{State, World};

/// What was found.
pub struct Found {
    pub states: usize,
    pub transitions: usize,
    /// States in which nothing goes on by itself any more.
    pub ends: usize,
    /// The most steps that are left anywhere until an end, when no more trouble comes.
    pub longest: u32,
    /// Different infrastructures and machines.
    parts: (usize, usize),
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            states,
            transitions,
            ends,
            longest,
            parts,
        } = self;
        write!(
            f,
            "{states} states, {transitions} transitions, {ends} ends, "
        )?;
        write!(
            f,
            "at most {longest} steps to an end; {} infrastructures, {} machines",
            parts.0, parts.1
        )
    }
}

struct Graph {
    states: Vec<State>,
    /// Where a state was first come to from.
    parents: Vec<usize>,
    /// Of what goes on by itself.
    edges: Vec<(u32, u32)>,
    transitions: usize,
}

/// Walks through all states.
///
/// # Panics
/// When something does not hold, after it has printed the shortest way there.
pub fn explore(world: &mut World) -> Found {
    let graph = walk(world);
    let mut goes_on = vec![false; graph.states.len()];
    graph
        .edges
        .iter()
        .for_each(|(from, _)| goes_on[*from as usize] = true);
    let ends: Vec<usize> = (0..graph.states.len())
        .filter(|index| !goes_on[*index])
        .collect();
    for end in &ends {
        if let Err(wrong) = world.check_end(graph.states[*end]) {
            tell(world, &graph, *end);
            panic!("the world rests, but {wrong}");
        }
    }
    let longest = longest(world, &graph);
    all_reach(world, &graph, &ends);
    Found {
        states: graph.states.len(),
        transitions: graph.transitions,
        ends: ends.len(),
        longest,
        parts: world.parts(),
    }
}

fn walk(world: &mut World) -> Graph {
    let first = world.first();
    let mut graph = Graph {
        states: vec![first],
        parents: vec![0],
        edges: Vec::new(),
        transitions: 0,
    };
    let mut known = HashMap::from([(first, 0_u32)]);
    let mut index = 0;
    while let Some(state) = graph.states.get(index).copied() {
        let next = catch_unwind(AssertUnwindSafe(|| world.successors(state)));
        let next = next.unwrap_or_else(|cause| {
            tell(world, &graph, index);
            resume_unwind(cause)
        });
        graph.transitions += next.len();
        for successor in next {
            let new = u32::try_from(graph.states.len()).expect("fewer");
            let to = *known.entry(successor.to).or_insert(new);
            if to == new {
                graph.states.push(successor.to);
                graph.parents.push(index);
            }
            if successor.fair {
                graph.edges.push((u32::try_from(index).expect("fewer"), to));
            }
        }
        index += 1;
    }
    graph
}

/// Once no more trouble comes, everything comes to an end in so many steps, whatever the order is:
/// nothing goes round in circles.
fn longest(world: &mut World, graph: &Graph) -> u32 {
    let forward = Lists::new(graph.states.len(), graph.edges.iter().copied());
    let mut before = vec![0_u32; graph.states.len()];
    graph
        .edges
        .iter()
        .for_each(|(_, to)| before[*to as usize] += 1);
    let mut steps = vec![0_u32; graph.states.len()];
    let mut ready: Vec<usize> = (0..graph.states.len())
        .filter(|index| before[*index] == 0)
        .collect();
    let mut sorted = 0;
    while let Some(from) = ready.pop() {
        sorted += 1;
        for to in forward.of(from) {
            let to = *to as usize;
            steps[to] = steps[to].max(steps[from] + 1);
            before[to] -= 1;
            if before[to] == 0 {
                ready.push(to);
            }
        }
    }
    if sorted < graph.states.len() {
        tell_circle(world, graph, &before);
        panic!("the world goes round in circles");
    }
    steps.into_iter().max().unwrap_or_default()
}

/// From every state an end is reached by what goes on by itself.
fn all_reach(world: &mut World, graph: &Graph, ends: &[usize]) {
    let backward = Lists::new(
        graph.states.len(),
        graph.edges.iter().map(|(from, to)| (*to, *from)),
    );
    let mut reaches = vec![false; graph.states.len()];
    let mut open = ends.to_vec();
    while let Some(to) = open.pop() {
        if !std::mem::replace(&mut reaches[to], true) {
            open.extend(backward.of(to).iter().map(|from| *from as usize));
        }
    }
    if let Some(lost) = reaches.iter().position(|reaches| !reaches) {
        tell(world, graph, lost);
        panic!("no end can be reached from here");
    }
}

/// The neighbours of each state.
struct Lists {
    starts: Vec<usize>,
    all: Vec<u32>,
}

impl Lists {
    fn new(states: usize, edges: impl Iterator<Item = (u32, u32)> + Clone) -> Self {
        let mut starts = vec![0; states + 1];
        edges
            .clone()
            .for_each(|(from, _)| starts[from as usize + 1] += 1);
        for index in 1..starts.len() {
            starts[index] += starts[index - 1];
        }
        let mut all = vec![0; starts[states]];
        let mut free = starts.clone();
        for (from, to) in edges {
            all[free[from as usize]] = to;
            free[from as usize] += 1;
        }
        Self { starts, all }
    }

    fn of(&self, state: usize) -> &[u32] {
        &self.all[self.starts[state]..self.starts[state + 1]]
    }
}

/// Prints the shortest way to a state.
fn tell(world: &mut World, graph: &Graph, state: usize) {
    let mut way = vec![state];
    while way[way.len() - 1] != 0 {
        way.push(graph.parents[way[way.len() - 1]]);
    }
    way.reverse();
    println!("{} steps from the beginning:", way.len() - 1);
    tell_steps(world, graph, &way);
}

fn tell_steps(world: &mut World, graph: &Graph, way: &[usize]) {
    for pair in way.windows(2) {
        let (from, to) = (graph.states[pair[0]], graph.states[pair[1]]);
        let successors = world.successors(from);
        let step = successors.iter().find(|successor| successor.to == to);
        println!("  {}", step.map_or("?", |step| &*step.label));
    }
}

/// Prints a circle among the states that wait for one before them.
fn tell_circle(world: &mut World, graph: &Graph, before: &[u32]) {
    let waits = |state: u32| before[state as usize] > 0;
    let inside = graph
        .edges
        .iter()
        .filter(|(from, to)| waits(*from) && waits(*to));
    let parents: HashMap<u32, u32> = inside.map(|(from, to)| (*to, *from)).collect();
    let Some(mut way) = parents.keys().min().map(|first| vec![*first]) else {
        return;
    };
    let start = loop {
        let parent = parents[&way[way.len() - 1]];
        if let Some(start) = way.iter().position(|state| *state == parent) {
            way.push(parent);
            break start;
        }
        way.push(parent);
    };
    let circle: Vec<usize> = way[start..]
        .iter()
        .rev()
        .map(|state| *state as usize)
        .collect();
    tell(world, graph, circle[0]);
    println!("and round:");
    tell_steps(world, graph, &circle);
}
