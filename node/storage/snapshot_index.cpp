// SPDX-License-Identifier: Apache-2.0
// The reading side of disk_snapshot_store: what is sealed, and how its memory
// is reached.
#include <algorithm>
#include <fcntl.h>

#include "node/storage/disk_snapshot_store.hpp"
#include "node/storage/file.hpp"
#include "node/storage/label_record.hpp"
#include "node/storage/reservation.hpp"
#include "node/storage/sealed_directory.hpp"
#include "node/storage/sealed_disks.hpp"
#include "node/storage/snapshot_check.hpp"
#include "node/storage/snapshot_signature.hpp"

namespace forkfleet {

namespace {

/// No operation's id starts like this.
constexpr const char* probe_prefix = "/.clone-probe-";

status check_link(const diff_file& file, const table_entry& link) {
  const auto runs = runs_hash_of(file.table.runs);
  if (!runs)
    return tl::unexpected<failure>(runs.error());
  if (to_hex(*runs) != link.runs_hash
      || to_hex(file.table.base) != link.base.root_hash)
    return fail(ec::snapshot_corrupt,
                file.path + " is another diff than its manifest says");
  return {};
}

} // namespace

disk_snapshot_store::disk_snapshot_store(data_directory_ptr data,
                                         host_name host, store_options options)
  : data_(std::move(data)), host_(std::move(host)),
    options_(std::move(options)),
    file_system_(file_system_of(data_->staging())) {}

expected<std::shared_ptr<disk_snapshot_store>>
disk_snapshot_store::open_in(data_directory_ptr data, host_name host,
                             store_options options) {
  const std::shared_ptr<disk_snapshot_store> result{new disk_snapshot_store(
    std::move(data), std::move(host), std::move(options))};
  if (auto loaded = result->load_index(); !loaded)
    return tl::unexpected<failure>(loaded.error());
  result->can_clone_ = result->probe_clone();
  return result;
}

bool disk_snapshot_store::probe_clone() const {
  const auto from_path = data_->staging() + probe_prefix + "from";
  const auto to_path = data_->staging() + probe_prefix + "to";
  const auto from = open_file(from_path, O_RDWR | O_CREAT);
  const auto to = open_file(to_path, O_RDWR | O_CREAT);
  const std::string content(guest_page_bytes, 'x');
  bool result = false;
  if (from && to && write_at(from->get(), content, 0, from_path))
    result = clone_file(to->get(), from->get(), to_path).has_value();
  // Cut first: some file systems free the blocks of what is removed later,
  // and what is free is asked for soon.
  for (const auto& [fd, path] :
       {std::pair{&from, &from_path}, std::pair{&to, &to_path}}) {
    if (*fd)
      static_cast<void>(resize_file((*fd)->get(), 0, *path));
    static_cast<void>(remove_file(*path));
  }
  return result;
}

status disk_snapshot_store::load_index() {
  const auto names = list_directory(data_->snapshots());
  if (!names)
    return tl::unexpected<failure>(names.error());
  const auto note = [this](const failure& found) {
    note_problem({found.code, found.message
                                + "; it is not listed; look at it, then "
                                  "remove it"});
  };
  for (const auto& name : *names)
    if (auto loaded = load_one(name); !loaded)
      note(loaded.error());
  sequence_ = table_.next_sequence();
  for (const auto& broken : table_.drop_broken())
    note(broken);
  return {};
}

status disk_snapshot_store::load_one(const std::string& name) {
  const snapshot_tag tag{name};
  if (!is_valid(tag))
    return fail(ec::snapshot_corrupt,
                data_->snapshots() + "/" + name + " has a name of no snapshot");
  if (table_.size() >= snapshots_max)
    return fail(ec::snapshot_corrupt, directory_of(tag)
                                        + " is beyond the first "
                                        + std::to_string(snapshots_max));
  const auto manifest = read_sealed(directory_of(tag), tag);
  if (!manifest)
    return tl::unexpected<failure>(manifest.error());
  auto entry = entry_of(*manifest);
  entry.info.revision = ++revisions_;
  table_.add(std::move(entry));
  // Words that cannot be read hide no snapshot.
  if (const auto words =
        read_annotation(directory_of(tag), manifest->root_hash);
      !words) {
    note_problem(words.error());
    unread_words_.insert(tag);
  }
  return {};
}

table_entry
disk_snapshot_store::entry_of(const snapshot_manifest& manifest) const {
  const auto directory = directory_of(manifest.tag);
  snapshot_info info{.tag = manifest.tag,
                     .host = host_,
                     .source = manifest.source,
                     .parent = manifest.parent,
                     .operation = manifest.operation,
                     .mode = manifest.mode,
                     .method = manifest.method,
                     .driver = manifest.contract.driver,
                     .root_hash = manifest.root_hash,
                     .memory_bytes = manifest.memory_bytes,
                     .stored_bytes = stored_bytes_of(directory),
                     .created_at = manifest.created_at,
                     .directory = directory,
                     .limits = manifest.limits,
                     .origin = manifest.origin,
                     .sequence = manifest.sequence};
  if (auto words = read_annotation(directory, manifest.root_hash)) {
    info.labels = std::move(words->labels);
    info.note = std::move(words->note);
  }
  return {.info = std::move(info),
          .base = {manifest.base, manifest.base_hash},
          .runs_hash = manifest.runs_hash,
          .is_flat = is_flat(directory, manifest)};
}

std::string disk_snapshot_store::fleet_key() const {
  return options_.key ? options_.key->public_key() : std::string{};
}

bool disk_snapshot_store::is_ours(const snapshot_manifest& manifest) const {
  return manifest.origin == snapshot_origin::sealed
         || is_vouched_by(manifest, fleet_key());
}

std::vector<snapshot_info> disk_snapshot_store::list() {
  const std::lock_guard lock{mutex_};
  return table_.list();
}

bool disk_snapshot_store::is_unread(const snapshot_tag& tag) {
  const std::lock_guard lock{mutex_};
  return table_.find(tag) == nullptr
         && look_for(directory_of(tag)) != presence::absent;
}

bool disk_snapshot_store::has_unread_words(const snapshot_tag& tag) {
  const std::lock_guard lock{mutex_};
  return unread_words_.contains(tag);
}

snapshot_info disk_snapshot_store::find_base(const std::string& root_hash,
                                             const snapshot_tag& parent) {
  const std::lock_guard lock{mutex_};
  const auto* const found = table_.find_base(root_hash, parent);
  return found == nullptr ? snapshot_info{} : table_.describe(*found);
}

expected<disk_snapshot_store::held_chain>
disk_snapshot_store::hold_chain(const snapshot_tag& tag) {
  const std::lock_guard lock{mutex_};
  const auto tags = table_.chain_of(tag);
  if (!tags)
    return tl::unexpected<failure>(tags.error());
  held_chain result;
  for (const auto& each : *tags)
    result.links.push_back(*table_.find(each));
  result.hold = holds_->hold(*tags);
  return result;
}

expected<std::shared_ptr<const layered_image>>
disk_snapshot_store::open_layers(const held_chain& chain) const {
  const auto& links = chain.links;
  image_chain files{.memory_bytes = links.back().info.memory_bytes,
                    .flat_path =
                      links.back().info.directory + "/" + memory_file};
  for (std::size_t i = links.size() - 1; i-- > 0;)
    files.diff_paths.push_back(links[i].info.directory + "/" + diff_name);
  auto image = layered_image::open(files);
  if (!image)
    return image;
  const auto diffs = (*image)->diffs();
  for (std::size_t i = 0; i < diffs.size(); ++i)
    if (auto good = check_link(diffs[i], links[links.size() - 2 - i]); !good)
      return tl::unexpected<failure>(good.error());
  return image;
}

expected<snapshot_files> disk_snapshot_store::open(const snapshot_tag& tag) {
  const auto chain = hold_chain(tag);
  if (!chain)
    return tl::unexpected<failure>(chain.error());
  const auto directory = directory_of(tag);
  const auto manifest = read_sealed(directory, tag);
  if (!manifest)
    return tl::unexpected<failure>(manifest.error());
  const auto image = open_layers(*chain);
  if (!image)
    return tl::unexpected<failure>(image.error());
  const std::lock_guard lock{mutex_};
  return snapshot_files{.info = table_.describe(*table_.find(tag)),
                        .contract = manifest->contract,
                        .memory = (*image)->layout(),
                        .vmstate_path = directory + "/" + vmstate_file,
                        .disks = frozen_disks(directory, manifest->disks),
                        .is_vouched = is_ours(*manifest),
                        .hold = chain->hold};
}

expected<memory_image_ptr> disk_snapshot_store::image(const snapshot_tag& tag) {
  const auto chain = hold_chain(tag);
  if (!chain)
    return tl::unexpected<failure>(chain.error());
  const auto image = open_layers(*chain);
  if (!image)
    return tl::unexpected<failure>(image.error());
  return memory_image_ptr{*image};
}

expected<verify_result> disk_snapshot_store::verify(const snapshot_tag& tag,
                                                    const stop_asked& stop) {
  const auto chain = hold_chain(tag);
  if (!chain)
    return tl::unexpected<failure>(chain.error());
  snapshot_check check{stop};
  for (const auto& link : chain->links) {
    const auto& info = link.info;
    const auto manifest = read_sealed(info.directory, info.tag);
    if (!manifest)
      return tl::unexpected<failure>(manifest.error());
    auto good = manifest->root_hash == info.root_hash
                  ? check.memory(info.directory, *manifest)
                  : fail(ec::snapshot_corrupt,
                         info.directory + " became another snapshot");
    if (good && info.tag == tag)
      good = check.vmstate(info.directory, *manifest);
    if (good && info.tag == tag)
      good = check.disks(info.directory, *manifest);
    if (!good)
      return tl::unexpected<failure>(good.error());
  }
  return check.result();
}

status disk_snapshot_store::settle(deadline_point until) {
  auto bound = options_.unwritten_bytes_max;
  if (bound == 0) {
    const std::lock_guard lock{mutex_};
    for (const auto& [operation, held] : claims_)
      bound = std::max(bound, 2 * held.memory_bytes);
    bound = std::max(bound, 2 * table_.memory_bytes_max());
  }
  if (debt_->wait_for_at_most(bound, until))
    return {};
  return fail(ec::deadline_exceeded,
              std::to_string(debt_->bytes())
                + " bytes of snapshots are not yet on the disk of "
                + data_->path() + ", at most " + std::to_string(bound)
                + " may be when a guest is paused");
}

std::vector<std::string> disk_snapshot_store::problems() {
  const std::lock_guard lock{mutex_};
  return problems_;
}

} // namespace forkfleet
