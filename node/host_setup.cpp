// SPDX-License-Identifier: Apache-2.0
#include "node/host_setup.hpp"

#include <chrono>
#include <filesystem>
#include <mutex>
#include <random>
#include <string>
#include <sys/resource.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "actors/descriptors.hpp"
#include "actors/durable_counter.hpp"
#include "actors/durable_file.hpp"
#include "actors/log.hpp"
#include "actors/signing_key.hpp"
#include "node/doctor/examination.hpp"
#include "node/firecracker/firecracker_driver.hpp"
#include "node/ledger/host_check.hpp"
#include "node/limits/sandbox_cgroups.hpp"
#include "node/network/sandbox_networks.hpp"
#include "node/qemu/host_facts.hpp"
#include "node/qemu/qemu_driver.hpp"
#include "node/simulated/simulated_driver.hpp"
#include "node/storage/sandbox_record_file.hpp"

namespace forkfleet {

namespace {

/// VMs that are looked for at once when a node starts.
constexpr std::size_t adoption_threads = 16;

microseconds unix_time() {
  return std::chrono::duration_cast<microseconds>(
    std::chrono::system_clock::now().time_since_epoch());
}

/// Another for each start; 0 is that of tests.
uint64_t random_life() {
  auto chance = std::random_device{};
  return uint64_t{chance()} << 32 | chance() | 1u;
}

/// What `auto` comes to on this host; empty when it cannot be told.
std::string usual_accelerator() {
  return qemu::choose_accelerator(config::accelerator::automatic, {})
    .value_or(std::string{});
}

/// Lets every other thread of the host run first.
void calm_down() {
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), 15);
}

driver_table make_drivers() {
  auto drivers = driver_table{};
  const auto add = [&drivers](vmm_driver_ptr driver) {
    auto name = driver->name();
    drivers.emplace(std::move(name), std::move(driver));
  };
  add(std::make_shared<qemu_driver>(qemu_driver_settings{}));
  add(std::make_shared<firecracker_driver>(firecracker_driver_settings{}));
  add(std::make_shared<simulated_driver>());
  return drivers;
}

/// How the NODE has this host looked at, and repaired.
void fill_ledger(node_services& services, const data_directory_ptr& data,
                 const std::shared_ptr<disk_snapshot_store>& store) {
  services.look_at_host = [data, store](ledger_owners owners,
                                        const ledger_times& times) {
    return judge_host({.data = data->path()}, *store, std::move(owners), times);
  };
  services.repair_host = [store](host_ledger& ledger) {
    repair_host(ledger, *store);
  };
}

/// Looks at one VM after the other, and never at two at once.
std::function<memory_sample(const memory_targets&)>
make_memory_look(const pause_gate_ptr& gate) {
  auto look = std::make_shared<memory_look>(
    memory_sources{.available = qemu::available_memory_bytes, .gate = gate});
  auto mutex = std::make_shared<std::mutex>();
  return [look, mutex](const memory_targets& targets) {
    const std::lock_guard lock{*mutex};
    return look->take(targets, std::chrono::steady_clock::now());
  };
}

/// What the VM of this record ran in; what is left is found by fsck.
void remove_surroundings(const sandbox_record& record,
                         sandbox_networks& networks) {
  const auto note = [&record](std::string_view event, const status& gone) {
    if (!gone)
      log::warn(event, {{"sandbox", record.id}, {"reason", gone.error()}});
  };
  note("cgroup.left",
       remove_cgroup(record.cgroup, cgroup_patience,
                     std::chrono::steady_clock::now() + cgroup_limit));
  note("network.left", networks.remove(record.network));
}

/// Where the fleet's signing key lies on this host.
std::string signing_key_path(const config::fleet_file& fleet,
                             const config::host_section& host) {
  namespace fs = std::filesystem;
  if (!fleet.signing_key.empty())
    return fleet.signing_key;
  if (!host.tls.key.empty()) {
    const auto beside = fs::path{host.tls.key}.parent_path() / signing_key_file;
    auto error = std::error_code{};
    // What cannot be looked for may be there: another key is not made.
    if (fs::exists(beside, error) || error)
      return beside.string();
  }
  return (fs::path{fleet.state} / signing_key_file).string();
}

/// Reads the fleet's signing key, or makes it in the directory of state.
expected<signing_key_ptr> signing_key_of(const config::fleet_file& fleet,
                                         const config::host_section& host) {
  const auto path = signing_key_path(fleet, host);
  const auto parent = std::filesystem::path{path}.parent_path().string();
  if (auto made = make_directories(parent); !made)
    return tl::unexpected(made.error());
  return signing_key::load_or_make(path);
}

/// The disk's part of the services, with what recovery found.
status fill_storage(node_services& services, const data_directory_ptr& data,
                    const host_options& options, const store_options& how) {
  auto store = disk_snapshot_store::open_in(data, options.host, how);
  if (!store)
    return tl::unexpected(store.error());
  auto journal = file_journal::open_in(data);
  if (!journal)
    return tl::unexpected(journal.error());
  auto records = std::make_shared<sandbox_records>(data);
  auto found = recover({.host = options.host,
                        .drivers = services.drivers,
                        .store = **store,
                        .journal = **journal,
                        .records = *records,
                        .leash_pid = options.leash_pid,
                        .networks = services.networks.get(),
                        .console_bytes = services.console_bytes,
                        .threads = adoption_threads});
  if (found.outcome)
    return tl::unexpected(found.outcome);
  for (const auto& name : (*store)->recover())
    found.notes.push_back("removed what was left in staging: " + name);
  for (const auto& problem : (*store)->problems())
    found.notes.push_back(problem);
  for (const auto& note : found.notes)
    log::warn("recovery.noted", {{"host", options.host}, {"note", note}});
  services.store = *store;
  fill_ledger(services, data, *store);
  services.journal = *journal;
  services.adopted = std::move(found.adopted);
  services.doomed = std::move(found.doomed);
  services.unread = std::move(found.unread);
  services.ended = std::move(found.ended);
  services.keep_record =
    [records](const sandbox_record& record) -> expected<std::string> {
    if (auto saved = records->save(record); !saved)
      return tl::unexpected(saved.error());
    return records->directory(place_of(record));
  };
  services.directory_of = [records](const sandbox_id& place) {
    return records->directory(place);
  };
  services.load_record = [records](const sandbox_id& place) {
    return records->load(place);
  };
  services.forget_record = [records, networks = services.networks](
                             const sandbox_id& id) {
    if (const auto known = load_sandbox_record(records->directory(id), id))
      remove_surroundings(*known, *networks);
    if (auto removed = records->remove(id); !removed)
      log::warn("record.kept", {{"sandbox", id}, {"reason", removed.error()}});
  };
  return {};
}

/// What VMs are kept from, and how this host is examined.
status fill_confinement(host_setup& setup, const config::host_section& host,
                        const data_directory& data) {
  const auto users = parse_uid_range(host.vm_uids);
  if (!users)
    return tl::unexpected(users.error());
  const auto examination = doctor::examination{
    .data = data.path(), .cgroup = host.cgroup, .users = *users};
  setup.settings.confinement_text = doctor::confinement_text(examination);
  setup.services.users = std::make_shared<vm_users>(
    *users, data.sandboxes(), doctor::own_user_obstacle(examination));
  setup.services.examine_host = [examination] {
    return doctor::examine(examination);
  };
  log::info("vms.confined",
            {{"host", host.name}, {"how", setup.settings.confinement_text}});
  return {};
}

/// The path of an archive named `name` in `directory`, which is made, so that
/// only its owner can look into it.
expected<std::string> find_archive(const std::string& directory,
                                   const std::string& name) {
  namespace fs = std::filesystem;
  auto error = std::error_code{};
  const bool is_new = fs::create_directories(directory, error);
  if (is_new && !error)
    fs::permissions(directory, fs::perms::owner_all, error);
  if (error)
    return fail(ec::io_failed, directory + ": " + error.message());
  return directory + "/" + name;
}

} // namespace

expected<config::host_section> find_host(const config::fleet_file& fleet,
                                         const host_name& name) {
  auto known = std::string{};
  for (const auto& host : fleet.hosts) {
    if (host.name == name)
      return host;
    known += (known.empty() ? "" : ", ") + host.name.value;
  }
  return fail(ec::invalid_request, "the fleet file has no host '" + name.value
                                     + "'; it has " + known);
}

expected<host_setup> set_up_host(const config::fleet_file& fleet,
                                 const host_options& options) {
  const auto host = find_host(fleet, options.host);
  if (!host)
    return tl::unexpected(host.error());
  auto data = data_directory::open(host->data);
  if (!data)
    return tl::unexpected(data.error());
  const auto incarnation = durable_counter{(*data)->incarnation()}.next();
  if (!incarnation)
    return tl::unexpected(incarnation.error());
  auto identity = (*data)->identity();
  if (!identity)
    return tl::unexpected(identity.error());
  auto setup = host_setup{};
  setup.settings = {.host = options.host,
                    .identity = std::move(*identity),
                    .incarnation = *incarnation,
                    .life = random_life(),
                    .version = FORKFLEET_VERSION,
                    .data = host->data,
                    .accelerator = usual_accelerator(),
                    .branch_slots = host->branch_slots,
                    .branch_queue = host->branch_queue,
                    .branch = fleet.branch,
                    .retention = fleet.retention,
                    .limits = fleet.limits,
                    .leash_pid = options.leash_pid,
                    .stop_sandboxes = options.stop_sandboxes,
                    .seed = std::random_device{}()};
  for (const auto& sandbox : fleet.sandboxes)
    if (sandbox.host == options.host)
      setup.settings.declared.push_back(sandbox);
  setup.services.drivers = make_drivers();
  setup.services.console_bytes = fleet.limits.console.value;
  setup.services.wall = unix_time;
  setup.services.calm_down = calm_down;
  setup.services.find_archive = [directory =
                                   host->archives](const std::string& name) {
    return find_archive(directory, name);
  };
  setup.services.gate = std::make_shared<pause_gate>();
  setup.services.descriptors = count_descriptors;
  setup.services.memory = make_memory_look(setup.services.gate);
  setup.services.cgroups = std::make_shared<sandbox_cgroups>(
    host->cgroup, (*data)->path(), fleet.limits.enforce);
  setup.settings.limits_text = setup.services.cgroups->describe();
  const auto range = parse_network(host->network_range);
  if (!range)
    return tl::unexpected(range.error());
  setup.services.networks = std::make_shared<sandbox_networks>(
    *range, (*data)->path(), isolation_obstacle());
  setup.settings.network_text = setup.services.networks->describe();
  if (auto confined = fill_confinement(setup, *host, **data); !confined)
    return tl::unexpected(confined.error());
  setup.services.images =
    std::make_shared<host_images>(images_of(fleet, options.host));
  auto key = signing_key_of(fleet, *host);
  if (!key)
    return tl::unexpected(key.error());
  if (auto filled =
        fill_storage(setup.services, *data, options,
                     {.gate = setup.services.gate,
                      .unwritten_bytes_max = fleet.branch.unwritten_max.value,
                      .key = std::move(*key)});
      !filled)
    return tl::unexpected(filled.error());
  return setup;
}

} // namespace forkfleet
