//! Types and reasons of conditions. The strings are CAPO's.

use crate::names::names;

names! {
    /// What a condition is about.
    ConditionType {
        /// The whole object works. On OpenStackCluster, OpenStackMachine.
        Ready = "Ready",
        /// Network and subnets. On OpenStackCluster.
        NetworkReady = "NetworkReady",
        /// Router and its interfaces. On OpenStackCluster.
        RouterReady = "RouterReady",
        /// Managed security groups and their rules. On OpenStackCluster.
        SecurityGroupsReady = "SecurityGroupsReady",
        /// Load balancer, floating IP or fixed address of the API. On OpenStackCluster.
        APIEndpointReady = "APIEndpointReady",
        /// The `allowedCIDRs` of the load balancer are in force; absent when there are none. On OpenStackCluster.
        APIAccessRestricted = "APIAccessRestricted",
        /// The credentials work. On OpenStackCluster, OpenStackMachine, OpenStackServer.
        OpenStackAuthenticationSucceeded = "OpenStackAuthenticationSucceeded",
        /// The server is active. On OpenStackMachine, OpenStackServer.
        InstanceReady = "InstanceReady",
        /// The control plane node gets API traffic. On OpenStackMachine.
        APIServerIngressReady = "APIServerIngressReady",
        /// The floating IP from the pool is attached. On OpenStackServer.
        FloatingAddressFromPoolReady = "FloatingAddressFromPoolReady",
        /// The pool can give addresses. On OpenStackFloatingIPPool.
        OpenstackFloatingIPPoolReady = "OpenstackFloatingIPPoolReadyCondition",
        /// Reconciling is switched off. On all.
        Paused = "Paused",
    }
}

names! {
    /// Why a condition has its status.
    Reason {
        /// All is well: the reason of every condition that is True.
        Ready = "Ready",
        /// OpenStack could not be reached, or refused. The message says what and why.
        OpenStackError = "OpenStackError",
        /// The credentials are missing, incomplete, wrong, or not for this namespace.
        OpenStackAuthenticationFailed = "OpenStackAuthenticationFailed",
        /// The cluster identity is not for the namespace of the object.
        IdentityAccessDenied = "IdentityAccessDenied",
        /// The spec contradicts itself or names what does not exist.
        InvalidMachineSpec = "InvalidMachineSpec",
        /// Something is still being made.
        Progressing = "Progressing",
        /// The object is being deleted.
        Deleting = "Deleting",
        /// Reconciling is switched off.
        Paused = "Paused",
        /// Reconciling is not switched off.
        NotPaused = "NotPaused",

        /// The network could not be found or made.
        NetworkCreateFailed = "NetworkCreateFailed",
        /// A subnet could not be found or made.
        SubnetCreateFailed = "SubnetCreateFailed",
        /// The router could not be found or made.
        RouterCreateFailed = "RouterCreateFailed",
        /// A security group or rule could not be made.
        SecurityGroupCreateFailed = "SecurityGroupCreateFailed",
        /// The API endpoint could not be made.
        APIEndpointConfigFailed = "APIEndpointConfigFailed",
        /// Nothing in this cloud can enforce the list, or it would lock the management cluster out.
        AllowedCIDRsNotInForce = "AllowedCIDRsNotInForce",

        /// The OpenStackCluster is not provisioned yet.
        WaitingForClusterInfrastructure = "WaitingForClusterInfrastructure",
        /// The bootstrap provider has not written the user data yet.
        WaitingForBootstrapData = "WaitingForBootstrapData",
        /// Something that the server refers to does not exist yet.
        DependencyFailed = "DependencyFailed",
        /// A port could not be made.
        PortCreateFailed = "PortCreateFailed",
        /// The server is being built.
        InstanceNotReady = "InstanceNotReady",
        /// The server was there and is gone.
        InstanceNotFound = "InstanceNotFound",
        /// Nova refused to create the server.
        InstanceCreateFailed = "InstanceCreateFailed",
        /// The server is in a state that it does not leave by itself.
        InstanceStateError = "InstanceStateError",
        /// The server was deleted behind our back.
        InstanceDeleted = "InstanceDeleted",
        /// The server could not be deleted.
        InstanceDeleteFailed = "InstanceDeleteFailed",
        /// The load balancer's member could not be made.
        LoadBalancerMemberError = "LoadBalancerMemberError",
        /// The floating IP could not be made or attached.
        FloatingIPError = "FloatingIPError",
        /// The pool has not given an address yet.
        WaitingForIPAMProvider = "WaitingForIPAMProvider",
        /// No port of the server is behind the pool's network.
        UnableToFindFloatingIPNetwork = "UnableToFindFloatingIPNetwork",
        /// The network of the pool does not exist, or is not the only one.
        UnableToFindNetwork = "UnableToFindNetwork",
        /// The pool has given as many addresses as it may.
        MaxIPsReached = "MaxIPsReached",
    }
}
