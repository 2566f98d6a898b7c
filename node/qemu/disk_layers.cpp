// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/disk_layers.hpp"

#include <algorithm>
#include <chrono>
#include <poll.h>
#include <utility>

#include <fmt/format.h>

#include "actors/bounded_text.hpp"
#include "node/qemu/vm_owner.hpp"
#include "node/storage/file.hpp"
#include "node/storage/qcow2_file.hpp"

namespace forkfleet::qemu {

namespace {

using std::chrono::steady_clock;

constexpr auto close_patience = std::chrono::seconds{2};
constexpr int job_interval_ms = 5;

std::string base_node(std::size_t disk) {
  return fmt::format("disk{}-base", disk);
}

// There is at most one for a disk, whoever began it.
std::string job_of(std::size_t disk) {
  return fmt::format("shorten-disk{}", disk);
}

} // namespace

std::string disk_layers::path_of(const layer_name& layer) const {
  return directory_ + "/" + layer.file();
}

status disk_layers::prepare(const std::function<bool()>& is_cancelled,
                            deadline_point until) {
  abandon();
  is_frozen_ = false;
  disks_.clear();
  if (!directory_.empty())
    if (auto idle = wait_for_job({}, is_cancelled, until); !idle)
      return idle;
  auto disks = ask(until);
  if (!disks)
    return tl::unexpected(disks.error());
  if (auto found = find_layers(*disks, until); !found)
    return found;
  bool is_shorter = false;
  for (const auto& x : *disks)
    if (x.layers.size() >= disk_layers_max) {
      if (auto done = shorten(x, is_cancelled, until); !done)
        return done;
      is_shorter = true;
    }
  if (is_shorter)
    if (auto found = find_layers(*disks, until); !found)
      return found;
  disks_ = std::move(*disks);
  is_open_ = !disks_.empty();
  for (auto& x : disks_)
    if (auto opened = open_next(x, until); !opened) {
      abandon();
      return opened;
    }
  return {};
}

// The disks that the guest writes, each with its active layer.
expected<std::vector<disk_layers::disk>>
disk_layers::ask(deadline_point until) {
  const auto asked = qmp_->execute("query-block", until);
  if (!asked)
    return tl::unexpected(asked.error());
  auto result = std::vector<disk>{};
  for (const auto& device : *asked) {
    const auto& image = member(device, "inserted");
    if (!image.is_object() || bool_member(image, "ro"))
      continue;
    const auto layer = parse_layer(text_member(image, "node-name"));
    if (directory_.empty() || !layer)
      return fail(ec::unsupported,
                  fmt::format("disk {} is writable and not in a layer of "
                              "forkfleet's; memory and disk would not be of "
                              "one instant; mark it readonly, or have the disk "
                              "in the fleet file's `disks`",
                              text_member(image, "file")));
    result.push_back(
      {.depth = number_member(image, "backing_file_depth"),
       .bytes = number_member(member(image, "image"), "virtual-size"),
       .layers = {*layer}});
  }
  return result;
}

// A layer that QEMU does not give up is in use, and part of the chain.
status disk_layers::find_layers(std::vector<disk>& disks,
                                deadline_point until) {
  if (disks.empty())
    return {};
  const auto asked =
    qmp_->execute("query-named-block-nodes", json{{"flat", true}}, until);
  if (!asked)
    return tl::unexpected(asked.error());
  auto known = std::vector<layer_name>{};
  for (const auto& node : *asked)
    if (const auto layer = parse_layer(text_member(node, "node-name")))
      known.push_back(*layer);
  // What lies over another holds it: from above.
  std::sort(known.begin(), known.end(),
            [](const auto& a, const auto& b) { return a.index > b.index; });
  for (auto& x : disks) {
    const auto top = x.layers.back();
    x.layers.clear();
    for (const auto& layer : known) {
      if (layer.disk != top.disk)
        continue;
      const auto closed =
        layer == top ? expected<bool>{false} : close(layer, until);
      if (!closed)
        return tl::unexpected(closed.error());
      if (!*closed)
        x.layers.insert(x.layers.begin(), layer);
    }
    if (x.layers.back() != top || x.layers.size() > x.depth)
      return fail(ec::vmm_refused,
                  fmt::format("{}: {} is open and not part of what {} lies "
                              "over",
                              qmp_->path(), x.layers.back().node(),
                              top.node()));
    x.next = {top.disk, top.index + 1};
  }
  return {};
}

expected<bool> disk_layers::close(const layer_name& layer,
                                  deadline_point until) {
  const auto closed =
    qmp_->execute("blockdev-del", json{{"node-name", layer.node()}}, until);
  if (!closed && closed.error().code != ec::vmm_refused)
    return tl::unexpected(closed.error());
  // One that stays is in nobody's way: its name is not looked at again.
  if (closed)
    static_cast<void>(remove_file(path_of(layer)));
  return closed.has_value();
}

// What the layers under the active one hold is copied into that, while the
// guest runs. Snapshots keep their own names of the files.
status disk_layers::shorten(const disk& x,
                            const std::function<bool()>& is_cancelled,
                            deadline_point until) {
  const auto& top = x.layers.back();
  const auto job = job_of(top.disk);
  const auto begun = qmp_->execute("block-stream",
                                   json{{"job-id", job},
                                        {"device", top.node()},
                                        {"base-node", base_node(top.disk)},
                                        // No name is written into the layer.
                                        {"backing-file", ""}},
                                   until);
  if (!begun)
    return tl::unexpected(begun.error());
  if (auto done = wait_for_job(job, is_cancelled, until); !done)
    return done;
  const auto ended = qmp_->wait_event_if(
    [&job](const qmp_event& told) {
      return told.name == "BLOCK_JOB_COMPLETED"
             && text_member(told.data, "device") == job;
    },
    steady_clock::now());
  const auto error =
    ended ? bounded_text(text_member(ended->data, "error")) : std::string{};
  if (!error.empty())
    return fail(ec::io_failed,
                fmt::format("{}: its {} layers could not be made one: {}; see "
                            "to the space in {}",
                            top.node(), x.layers.size(), error, directory_));
  return {};
}

// Until no such job runs; without a name, none of ours.
status disk_layers::wait_for_job(const std::string& job,
                                 const std::function<bool()>& is_cancelled,
                                 deadline_point until) {
  for (;;) {
    const auto asked = qmp_->execute("query-block-jobs", until);
    if (!asked)
      return tl::unexpected(asked.error());
    const bool runs =
      std::any_of(asked->begin(), asked->end(), [&job](const json& each) {
        const auto name = text_member(each, "device");
        return job.empty() ? name.starts_with("shorten-disk") : name == job;
      });
    if (!runs)
      return {};
    if (is_cancelled && is_cancelled())
      return fail(ec::cancelled,
                  "before the pause; the guest never stood still");
    if (steady_clock::now() >= until)
      return fail(ec::deadline_exceeded,
                  directory_
                    + ": while the layers of its disks were made one, "
                      "which goes on; branch again later");
    ::poll(nullptr, 0, job_interval_ms);
  }
}

status disk_layers::open_next(disk& x, deadline_point until) {
  const auto path = path_of(x.next);
  auto made = remove_file(path);
  if (made)
    made = make_qcow2(path, x.bytes);
  if (made)
    made = give_to_vm(path);
  if (!made)
    return made;
  return qmp_->execute("blockdev-add", layer_node(x.next, {}, true), until)
    .map([](const json&) {});
}

status disk_layers::freeze(deadline_point until) {
  if (disks_.empty())
    return {};
  auto actions = json::array();
  for (const auto& x : disks_)
    actions.push_back(
      {{"type", "blockdev-snapshot"},
       {"data",
        {{"node", x.layers.back().node()}, {"overlay", x.next.node()}}}});
  // From here on only QEMU knows which layers are active.
  is_open_ = false;
  auto done = qmp_->execute("transaction", json{{"actions", actions}}, until);
  if (!done)
    return tl::unexpected(done.error());
  is_frozen_ = true;
  return {};
}

expected<std::vector<frozen_disk>> disk_layers::take() {
  auto result = std::vector<frozen_disk>{};
  if (!std::exchange(is_frozen_, false))
    return result;
  for (const auto& x : disks_) {
    auto frozen =
      frozen_disk{.name = fmt::format("disk{}", x.next.disk), .bytes = x.bytes};
    for (const auto& layer : x.layers) {
      frozen.layers.push_back(path_of(layer));
      // Others are going to read it: its VM may not write it any more.
      if (auto shared = share_with_vm(frozen.layers.back()); !shared)
        return tl::unexpected(shared.error());
    }
    result.push_back(std::move(frozen));
  }
  return result;
}

void disk_layers::abandon() noexcept {
  if (!std::exchange(is_open_, false) || !qmp_->is_connected())
    return;
  for (const auto& x : disks_)
    static_cast<void>(
      close(x.next, steady_clock::now() + close_patience).has_value());
}

} // namespace forkfleet::qemu
