// SPDX-License-Identifier: Apache-2.0
#include "node/doctor/examination.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "node/doctor/checks.hpp"
#include "node/limits/vm_users.hpp"
#include "node/qemu/qemu_facts.hpp"

namespace forkfleet::doctor {

namespace {

host_check make(std::string_view name, check_state state, std::string found,
                std::string remedy) {
  found.resize(std::min(found.size(), check_text_max));
  remedy.resize(std::min(remedy.size(), check_text_max));
  return {.name = std::string{name},
          .state = state,
          .found = std::move(found),
          .remedy = std::move(remedy)};
}

void add(checks& all, checks more) {
  std::move(more.begin(), more.end(), std::back_inserter(all));
}

/// What keeps a VM in, and what does not.
struct confinement {
  std::string has = {};
  std::string lacks = {};
  std::string remedy = {};

  void add(std::string& list, std::string text) const {
    list += (list.empty() ? "" : ", ") + text;
  }
  void lack(std::string what, std::string_view help) {
    lacks += (lacks.empty() ? "" : "; ") + what;
    remedy += (remedy.empty() ? "" : "; ") + std::string{help};
  }
};

void look_at_users(const examination& what, confinement& result) {
  const auto why = own_user_obstacle(what);
  if (why.empty()) {
    result.add(result.has, fmt::format("own user of {}-{}", what.users.first,
                                       what.users.last));
    result.add(result.has, "no capabilities");
  } else {
    result.lack("no own user: " + why,
                "run the node as root, with users in hosts[].vm_uids");
  }
}

confinement look_at_confinement(const examination& what) {
  auto result = confinement{};
  const auto qemu = find_qemu(what);
  if (!qemu.obstacle.empty()) {
    result.lack("no QEMU to confine: " + qemu.obstacle,
                "install qemu-system-x86");
    return result;
  }
  look_at_users(what, result);
  const auto why = qemu::facts_of(qemu.path).sandbox_obstacle;
  if (why.empty())
    result.add(result.has, "seccomp");
  else
    result.lack("no seccomp: " + why, "use a QEMU that was built with seccomp");
  result.add(result.has, "no new privileges");
  return result;
}

} // namespace

host_check ok(std::string_view name, std::string found) {
  return make(name, check_state::ok, std::move(found), {});
}

host_check warn(std::string_view name, std::string found, std::string remedy) {
  return make(name, check_state::warn, std::move(found), std::move(remedy));
}

host_check bad(std::string_view name, std::string found, std::string remedy) {
  return make(name, check_state::bad, std::move(found), std::move(remedy));
}

host_check check_confinement(const examination& what) {
  const auto found = look_at_confinement(what);
  const auto text = confinement_text(what);
  return found.lacks.empty() ? ok("confinement", text)
                             : warn("confinement", text, found.remedy);
}

std::string own_user_obstacle(const examination& what) {
  if (auto why = user_obstacle(what.users, existing_place(what.data));
      !why.empty())
    return why;
  const auto qemu = find_qemu(what);
  if (!qemu.obstacle.empty())
    return qemu.obstacle;
  if (!qemu.has_preload)
    return "libforkfleet-preload.so is not beside the programs";
  return qemu::facts_of(qemu.path).user_obstacle;
}

std::string confinement_text(const examination& what) {
  const auto found = look_at_confinement(what);
  if (found.lacks.empty() || found.has.empty())
    return found.has + found.lacks;
  return found.has + "; " + found.lacks;
}

std::vector<host_check> examine(const examination& what) {
  auto all = check_machine(what);
  all.push_back(check_confinement(what));
  add(all, check_surroundings(what));
  add(all, check_resources(what));
  return all;
}

} // namespace forkfleet::doctor
