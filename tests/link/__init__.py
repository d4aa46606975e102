"""Tests of the link: the packet ring, network namespaces, the veth pair, trace instances. They need privileges that `needs` names."""
