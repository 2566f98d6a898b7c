// SPDX-License-Identifier: Apache-2.0
// Which machine a VM gets: what the fleet file asks for, or what a snapshot's
// contract says, as far as this host allows it.
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "node/qemu/argument_files.hpp"
#include "node/qemu/host_facts.hpp"
#include "node/qemu/pinned_files.hpp"
#include "node/qemu/vm_inventory.hpp"
#include "node/qemu/vm_launch.hpp"

namespace forkfleet::qemu {

namespace {

constexpr std::size_t argument_files_max = 64;

using image_chains = std::vector<std::vector<image_file>>;

const pinned_file* find_pin(const machine& x, const std::string& use) {
  const auto found = std::ranges::find(x.files, use, &pinned_file::use);
  return found == x.files.end() ? nullptr : &*found;
}

/// How many files of a disk were pinned.
std::size_t pins_of_disk(const machine& x, std::size_t disk) {
  std::size_t count = 0;
  while (find_pin(x, disk_use(disk, count)) != nullptr)
    ++count;
  return count;
}

/// Others, such as a disk of the host, are not pinned.
bool is_regular(const std::string& path) {
  auto error = std::error_code{};
  return std::filesystem::is_regular_file(path, error);
}

/// The files of one snapshot's VM, on this host.
class file_finder {
public:
  file_finder(const start_plan& plan, machine& x)
    : name_{plan.snapshot->info.tag.value}, images_{plan.images}, x_{x},
      is_own_{plan.snapshot->info.origin == snapshot_origin::sealed} {}

  /// Puts the paths of this host into the machine.
  expected<image_chains> run() {
    if (auto done = place(kernel_use, x_.kernel); !done)
      return tl::unexpected(done.error());
    if (!x_.initrd.empty())
      if (auto done = place(initrd_use, x_.initrd); !done)
        return tl::unexpected(done.error());
    auto result = image_chains{};
    for (std::size_t i = 0; i < x_.disks.size(); ++i) {
      auto chain = disk(i);
      if (!chain)
        return tl::unexpected(chain.error());
      result.push_back(std::move(*chain));
    }
    if (auto done = check_argument_files(); !done)
      return tl::unexpected(done.error());
    return result;
  }

private:
  /// The arguments name them where they are, on whichever host.
  status check_argument_files() const {
    const auto paths = files_of_arguments(x_.more);
    for (std::size_t i = 0; i < paths.size(); ++i) {
      const auto* const pin = find_pin(x_, argument_use(i));
      if (pin == nullptr && !is_regular(paths[i]))
        continue;
      if (pin == nullptr)
        return not_told(paths[i]);
      if (auto good = check_pin(*pin, paths[i], name_, is_own_); !good)
        return good;
    }
    return {};
  }

  status not_told(const std::string& use) const {
    return fail(ec::unsupported,
                "snapshot " + name_ + " does not tell what its " + use
                  + " was; an older version took it: take it again");
  }

  /// The pinned file on this host: where it was, or where the fleet file says.
  status place(const std::string& use, std::string& path) {
    const auto* const pin = find_pin(x_, use);
    if (pin == nullptr)
      return not_told(use);
    if (is_own_)
      return check_pin(*pin, path, name_, true);
    auto found = find_pinned(*pin, images_ ? *images_ : host_images{}, name_);
    if (!found)
      return tl::unexpected(found.error());
    path = std::move(*found);
    return {};
  }

  expected<std::vector<image_file>> disk(std::size_t i) {
    if (auto done = place(disk_use(i, 0), x_.disks[i].path); !done)
      return tl::unexpected(done.error());
    auto chain = image_chain(x_.disks[i]);
    if (!chain)
      return fail(ec::unsupported, "snapshot " + name_ + " needs its disks: "
                                     + chain.error().message);
    const auto files = files_of(*chain);
    if (files.size() != pins_of_disk(x_, i))
      return fail(ec::unsupported, x_.disks[i].path
                                     + " lies over other files than when "
                                     + name_ + "'s VM began to use it");
    for (std::size_t k = 1; k < files.size(); ++k)
      if (auto good =
            check_pin(*find_pin(x_, disk_use(i, k)), files[k], name_, is_own_);
          !good)
        return tl::unexpected(good.error());
    return chain;
  }

  std::string name_;
  host_images_ptr images_;
  machine& x_;
  bool is_own_;
};

/// Arguments are passed on only where this host's own fleet file has the same
/// for a sandbox, and never on a stranger's word.
status check_arguments(const start_plan& plan, const machine& x) {
  if (x.more.empty())
    return {};
  const auto& name = plan.snapshot->info.tag.value;
  if (const auto why = argument_obstacle(x.more); !why.empty())
    return fail(ec::unsupported, "snapshot " + name + ": " + why);
  if (!plan.snapshot->is_vouched)
    return fail(ec::unsupported,
                "snapshot " + name
                  + " asks for arguments of QEMU, and was neither sealed here "
                    "nor signed by this fleet");
  if (!plan.images
      || std::ranges::find(plan.images->arguments, x.more)
           == plan.images->arguments.end())
    return fail(ec::unsupported,
                "snapshot " + name
                  + " is of a VM with qemu_arguments that no sandbox of this "
                    "host's fleet file has; its children get no others");
  return {};
}

expected<planned_machine> plan_child(const start_plan& plan) {
  const auto& name = plan.snapshot->info.tag.value;
  auto x = from_contract(plan.snapshot->contract);
  if (!x)
    return tl::unexpected(x.error());
  if (x->kernel.empty())
    return fail(ec::unsupported,
                "snapshot " + name
                  + " is of an attached VM whose kernel and initrd could not "
                    "be read");
  if (auto allowed = check_arguments(plan, *x); !allowed)
    return tl::unexpected(allowed.error());
  if (x->accelerator == "kvm" && !has_usable_kvm())
    return fail(ec::unsupported, "snapshot " + name
                                   + " was taken under kvm, which this host "
                                     "does not have");
  // What it may reach is its node's decision.
  if (!plan.snapshot->is_vouched)
    x->egress = plan.network.egress;
  auto images = file_finder{plan, *x}.run();
  if (!images)
    return tl::unexpected(images.error());
  return planned_machine{std::move(*x), std::move(*images)};
}

} // namespace

expected<image_chains> pin_files(machine& x) {
  auto result = image_chains{};
  auto files = std::vector<pinned_file>{};
  const auto pin = [&files](std::string use, const std::string& path) {
    auto pinned = pin_file(std::move(use), path);
    if (!pinned)
      return status{tl::unexpected(pinned.error())};
    files.push_back(std::move(*pinned));
    return status{};
  };
  auto done = pin(kernel_use, x.kernel);
  if (done && !x.initrd.empty())
    done = pin(initrd_use, x.initrd);
  for (std::size_t i = 0; done && i < x.disks.size(); ++i) {
    auto chain = image_chain(x.disks[i]);
    if (!chain)
      return tl::unexpected(chain.error());
    std::size_t count = 0;
    for (const auto& path : files_of(*chain))
      if (done)
        done = pin(disk_use(i, count++), path);
    result.push_back(std::move(*chain));
  }
  const auto named = files_of_arguments(x.more);
  if (named.size() > argument_files_max)
    return fail(ec::invalid_request,
                fmt::format("qemu_arguments name {} files, at most {} can be "
                            "told in a snapshot",
                            named.size(), argument_files_max));
  for (std::size_t i = 0; done && i < named.size(); ++i)
    if (is_regular(named[i]))
      done = pin(argument_use(i), named[i]);
  if (!done)
    return tl::unexpected(done.error());
  x.files = std::move(files);
  return result;
}

expected<planned_machine> plan_machine(const start_plan& plan,
                                       const std::string& accelerator) {
  if (plan.snapshot)
    return plan_child(plan);
  const auto chosen = choose_accelerator(plan.spec.accel, accelerator);
  if (!chosen)
    return tl::unexpected(chosen.error());
  auto x = machine_of(plan.spec, *chosen, host_tsc_khz());
  x.network = plan.network.mode;
  x.egress = plan.network.egress;
  auto images = pin_files(x);
  if (!images)
    return tl::unexpected(images.error());
  return planned_machine{std::move(x), std::move(*images)};
}

} // namespace forkfleet::qemu
