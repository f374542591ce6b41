//! The node agent: plays the hypervisor and the data path of the network.
