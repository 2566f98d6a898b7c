// SPDX-License-Identifier: Apache-2.0
#include "node/branch_plan.hpp"

namespace forkfleet {

namespace {

void find_tracked_base(const branch_context& context, mode_question& question) {
  const auto root = context.vmm->tracked_since();
  if (root.empty()) {
    question.base_obstacle = "no snapshot is known that its changes count from";
    return;
  }
  question.base = context.store->find_base(root, context.parent);
  if (question.base.tag.empty())
    question.base_obstacle =
      "the snapshot that its changes count from is not there any more";
}

void find_compared_base(const branch_context& context,
                        const branch_request& request,
                        mode_question& question) {
  question.base =
    pick_base(context.store->list(), request.sandbox, context.parent,
              context.vmm->describe().memory_bytes);
  if (question.base.tag.empty())
    question.base_obstacle = "there is no snapshot of it to compare with";
}

} // namespace

expected<branch_plan> plan_branch(const branch_context& context,
                                  const branch_request& request,
                                  deadline_point until) {
  const auto vm = context.vmm->capabilities(until);
  if (!vm)
    return tl::unexpected(vm.error());
  auto question = mode_question{.asked = request.mode,
                                .policy = context.policy.mode,
                                .vm = *vm,
                                .can_clone = context.store->can_clone(),
                                .chain_depth = context.policy.chain_depth};
  if (vm->diff && vm->diff_is_tracked)
    find_tracked_base(context, question);
  else if (vm->diff)
    find_compared_base(context, request, question);
  auto ways = list_modes(question);
  if (!ways)
    return tl::unexpected(ways.error());
  return branch_plan{*vm, std::move(question.base), std::move(*ways)};
}

} // namespace forkfleet
