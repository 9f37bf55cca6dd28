"""Trained nets split and joined: some networks taken out, or those of several nets in one."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch

from skdann._network.network import DomainAdversarialNetwork
from skdann._training.epoch_means import record_figures
from skdann._training.net import AdversarialNet
from skdann._training.plan import TrainingPlan


def taken_out(net: AdversarialNet, members: range) -> AdversarialNet:
    """Return some of the networks as a net of their own, as if trained without the others.

    Their optimizer starts anew if they are trained on.
    """
    networks = [net.members_[i] for i in members]
    for network in networks:
        for parameter in network.parameters():
            parameter.data = parameter.data.clone()  # no longer a view of all networks' memory
            parameter.grad = None
    taken = _trained(networks, net.plan.of(members), like=net)
    taken.done_ = [net.done_[i] for i in members]
    # The history of the whole net has a dict for each network: theirs are taken over.
    for row in net.history:
        taken.history.new_epoch()
        taken.history.record("epoch", row["epoch"])
        if "members" in row:
            record_figures(taken.history, [row["members"][i] for i in members])
            taken.history.record("seconds", row["seconds"])
    return taken


def joined(nets: Sequence[AdversarialNet]) -> AdversarialNet:
    """Return the networks of several trained nets as those of one.

    What networks of one net share, such as schedules, and the history are those of the first net.
    """
    first, others = nets[0], nets[1:]
    networks = [network for net in nets for network in net.members_]
    plan = first.plan.with_others([net.plan for net in others])
    whole = _trained(networks, plan, like=first)
    whole.done_ = [done for net in nets for done in net.done_]
    whole.history = copy.deepcopy(first.history)
    return whole


def _trained(
    networks: Sequence[DomainAdversarialNetwork], plan: TrainingPlan, like: AdversarialNet
) -> AdversarialNet:
    """Return a net of trained networks; its classes and its device are those of another."""
    net = AdversarialNet(networks, plan=plan, device=torch.device(like.device), callbacks=[])
    net.initialize()
    net.classes_ = like.classes_
    net.module_.eval()
    return net
