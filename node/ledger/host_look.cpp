// SPDX-License-Identifier: Apache-2.0
#include "node/ledger/host_look.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

#include "actors/durable_file.hpp"
#include "actors/schema/json.hpp"
#include "node/firecracker/capture_space.hpp"
#include "node/ledger/sandbox_look.hpp"
#include "node/limits/sandbox_cgroups.hpp"
#include "node/network/sandbox_networks.hpp"
#include "node/storage/file.hpp"
#include "node/storage/manifest.hpp"
#include "node/storage/sealed_directory.hpp"

namespace forkfleet {

namespace {

constexpr int depth_max = 4;
constexpr std::array<std::string_view, 9> own_names{
  "lock",       "incarnation", "identity", "archives",        "snapshots",
  "operations", "sandboxes",   "staging",  cgroup_places_file};
constexpr const char* damaged_name = "damaged";

/// What the kernel says of a path. `since` is its last change, for a
/// directory one of its own names.
struct path_facts {
  bool is_there = false;
  bool is_directory = false;
  uid_t owner = 0;
  file_identity identity = {};
  uint64_t bytes = 0;
  microseconds since{0};
};

path_facts look_at(const std::string& path) {
  struct stat info = {};
  const auto found = identify(path).value_or(std::nullopt);
  if (!found || ::lstat(path.c_str(), &info) != 0)
    return {};
  const auto seconds = std::chrono::seconds{info.st_ctim.tv_sec};
  const auto rest = std::chrono::nanoseconds{info.st_ctim.tv_nsec};
  return {.is_there = true,
          .is_directory = S_ISDIR(info.st_mode),
          .owner = info.st_uid,
          .identity = *found,
          .bytes = static_cast<uint64_t>(info.st_blocks) * 512,
          .since = seconds + std::chrono::duration_cast<microseconds>(rest)};
}

bool has_suffix(std::string_view name, std::string_view suffix) {
  return name.size() > suffix.size() && name.ends_with(suffix);
}

/// Whose network namespace it is, by a record.
struct space_owner {
  std::string name = {};
  microseconds since{0};
};

/// One look; notes the first folder that cannot be listed.
class host_look {
public:
  explicit host_look(const look_plan& plan) : plan_{plan} {}

  expected<std::vector<ledger_thing>> run() {
    look_at_top();
    // Its record is there before it is made, and until it is gone.
    const auto networks = look_at_networks(plan_.data);
    if (!networks)
      return tl::unexpected<failure>(networks.error());
    look_at_sandboxes();
    judge_networks(*networks);
    look_at_snapshots();
    look_at_staging();
    look_at_operations();
    look_at_captures();
    look_at_cgroups();
    if (problem_)
      return tl::unexpected<failure>(problem_);
    const auto processes = look_at_processes(plan_);
    if (!processes)
      return tl::unexpected<failure>(processes.error());
    result_.insert(result_.end(), processes->begin(), processes->end());
    return std::move(result_);
  }

private:
  std::vector<std::string> names_in(const std::string& path) {
    auto names = list_directory(path);
    if (!names && !problem_)
      problem_ = names.error();
    return names.value_or(std::vector<std::string>{});
  }

  std::vector<std::string> names_in_if_there(const std::string& path) {
    auto names = list_directory(path);
    if (!names && look_for(path) != presence::absent && !problem_)
      problem_ = names.error();
    return names.value_or(std::vector<std::string>{});
  }

  /// What a tree takes, and when anything in it last changed.
  path_facts look_at_tree(const std::string& path, int depth = 0) {
    auto result = look_at(path);
    if (!result.is_directory || depth >= depth_max)
      return result;
    for (const auto& name : names_in_if_there(path)) {
      const auto part = look_at_tree(path + "/" + name, depth + 1);
      result.bytes += part.bytes;
      result.since = std::max(result.since, part.since);
    }
    return result;
  }

  /// Adds a thing that is still there.
  ledger_thing* add(ledger_thing thing, const path_facts& facts) {
    if (!facts.is_there)
      return nullptr;
    thing.bytes = facts.bytes;
    thing.since = facts.since;
    thing.identity = facts.identity;
    return &result_.emplace_back(std::move(thing));
  }

  void look_at_top() {
    for (const auto& name : names_in(plan_.data)) {
      const auto path = plan_.data + "/" + name;
      const bool is_own = std::ranges::count(own_names, name) > 0;
      const bool is_unfinished = has_suffix(name, unfinished_suffix);
      add({.kind = ledger_kind::file,
           .where = path,
           .owner = is_own ? "the node" : "",
           .is_foreign = !is_own && !is_unfinished},
          look_at(path));
    }
  }

  void look_at_sandboxes() {
    const auto parent = plan_.data + "/sandboxes";
    for (const auto& name : names_in(parent)) {
      const auto path = parent + "/" + name;
      const auto known = look_at_sandbox(parent, name);
      auto facts = look_at_tree(path);
      // A log that grows makes nothing new of what nobody owns.
      facts.since = look_at(path).since;
      add({.kind = ledger_kind::sandbox,
           .where = path,
           .name = name,
           .damage = known.damage,
           .has_record = known.has_record},
          facts);
      if (!known.space.empty())
        spaces_[known.space] = {name, facts.since};
      if (!known.damage.empty())
        damage_ = known.damage;
    }
  }

  /// Whose they are, by the records; a damaged one may be of any.
  void judge_networks(const std::vector<network_thing>& seen) {
    for (const auto& x : seen) {
      if (look_for(x) == presence::absent)
        continue;
      const auto found = spaces_.find(x.space);
      const bool has_record = found != spaces_.end();
      const bool is_table = x.space.empty();
      const auto owner = has_record ? found->second : space_owner{};
      result_.push_back(
        {.kind = ledger_kind::network,
         .where = x.where,
         .name = owner.name,
         .owner = is_table && !spaces_.empty() ? "the node" : "",
         .damage = has_record ? std::string{} : damage_,
         .has_record = has_record,
         .since = owner.since,
         .identity = x.identity});
    }
  }

  void look_at_snapshots() {
    const auto parent = plan_.data + "/snapshots";
    for (const auto& name : names_in(parent)) {
      const auto path = parent + "/" + name;
      const auto manifest = read_sealed(path, {name});
      add({.kind = ledger_kind::snapshot,
           .where = path,
           .name = name,
           .damage = manifest ? "" : manifest.error().message,
           .has_record = manifest.has_value()},
          look_at_tree(path));
      if (manifest && !manifest->base.empty()
          && !path_exists(parent + "/" + manifest->base.value)
          && !is_flat(path, *manifest))
        result_.back().damage =
          path + ": its base " + manifest->base.value + " is not there";
      if (!look_at(path).is_directory)
        continue;
      for (const auto& file : names_in(path))
        if (has_suffix(file, unfinished_suffix))
          add({.kind = ledger_kind::file,
               .where = path + "/" + file,
               .name = name},
              look_at(path + "/" + file));
    }
  }

  void look_at_staging() {
    const auto parent = plan_.data + "/staging";
    for (const auto& name : names_in(parent))
      add({.kind = ledger_kind::staging,
           .where = parent + "/" + name,
           .name = name},
          look_at_tree(parent + "/" + name));
  }

  void look_at_operations() {
    const auto parent = plan_.data + "/operations";
    for (const auto& name : names_in(parent)) {
      const auto path = parent + "/" + name;
      const auto facts = look_at_tree(path);
      if (name == damaged_name && facts.is_directory) {
        for (const auto& each : names_in(path))
          add({.kind = ledger_kind::operation,
               .where = path + "/" + each,
               .name = each,
               .damage = "it could not be read and was set aside; look at "
                         "it, then remove it"},
              look_at(path + "/" + each));
        continue;
      }
      const auto dot = name.find('.');
      auto thing = ledger_thing{.kind = ledger_kind::operation,
                                .where = path,
                                .name = name.substr(0, dot)};
      const auto entry = parent + "/" + thing.name + ".json";
      if (has_suffix(name, ".json"))
        check_entry(thing, path);
      else if (has_suffix(name, ".pause"))
        thing.has_record = look_for(entry) != presence::absent;
      else
        thing.is_foreign = !has_suffix(name, unfinished_suffix);
      add(std::move(thing), facts);
    }
  }

  void check_entry(ledger_thing& thing, const std::string& path) {
    const auto text = read_small_file(path);
    const auto value =
      text ? schema::parse_json(*text) : tl::unexpected<failure>(text.error());
    thing.has_record = value.has_value();
    if (!value && look_for(path) != presence::absent)
      thing.damage = path + ": " + value.error().message
                     + "; the node's next start sets it aside";
  }

  void look_at_captures() {
    const auto sandboxes = plan_.data + "/sandboxes";
    for (const auto& name : names_in_if_there(plan_.fast_directory)) {
      const auto path = plan_.fast_directory + "/" + name;
      if (!name.starts_with(firecracker::fast_prefix))
        continue;
      const auto facts = look_at_tree(path);
      const auto whose = firecracker::owner_of_capture(path);
      if (facts.owner != ::geteuid() || !whose.starts_with(sandboxes + "/"))
        continue; // another node's
      const auto id = whose.substr(sandboxes.size() + 1);
      const auto known = look_at_sandbox(sandboxes, id);
      add({.kind = ledger_kind::capture,
           .where = path,
           .name = id,
           .damage = known.damage,
           .has_record = known.has_record},
          facts);
    }
  }

  /// Those of other nodes have another prefix.
  void look_at_cgroups() {
    const auto sandboxes = plan_.data + "/sandboxes";
    const auto prefix = cgroup_prefix_of(plan_.data);
    const auto places = cgroup_places(plan_.data);
    if (!places && !problem_)
      problem_ = places.error();
    for (const auto& place : places.value_or(std::vector<std::string>{}))
      for (const auto& name : names_in_if_there(place)) {
        const auto id = sandbox_of_cgroup(name, prefix);
        if (id.empty())
          continue;
        const auto known = look_at_sandbox(sandboxes, id.value);
        add({.kind = ledger_kind::cgroup,
             .where = place + "/" + name,
             .name = id.value,
             .damage = known.damage,
             .has_record = known.has_record},
            look_at(place + "/" + name));
      }
  }

  const look_plan& plan_;
  std::map<std::string, space_owner> spaces_ = {};
  std::string damage_ = {};
  failure problem_ = {};
  std::vector<ledger_thing> result_ = {};
};

} // namespace

expected<std::vector<ledger_thing>> look_at_host(const look_plan& plan) {
  return host_look{plan}.run();
}

} // namespace forkfleet
