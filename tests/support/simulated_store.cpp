// SPDX-License-Identifier: Apache-2.0
#include <functional>
#include <utility>

#include <fmt/format.h>

#include "node/simulated/guest.hpp"
#include "tests/support/disk_place.hpp"

namespace forkfleet::test {

namespace {

class open_staging : public staging_area {
public:
  open_staging(disk_files files, reservation reserved)
    : files_(std::move(files)), reserved_(std::move(reserved)),
      sink_(files_.memory, files_.form != memory_form::diff) {}
  memory_sink& memory() override { return sink_; }
  int vmstate_fd() const override { return files_.vmstate->get(); }
  const reservation& reserved() const override { return reserved_; }
  const simulated_sink& sink() const { return sink_; }

private:
  disk_files files_;
  reservation reserved_;
  simulated_sink sink_;
};

tl::unexpected<staging_failure> refuse(ec code, std::string message,
                                       reservation reserved = {}) {
  return tl::unexpected{
    staging_failure{{code, std::move(message)}, std::move(reserved)}};
}

class store : public snapshot_store {
public:
  store(simulated_disk_ptr disk, disk_access access)
    : disk_(std::move(disk)), access_(std::move(access)) {}

  tl::expected<staging_ptr, staging_failure>
  stage(const staging_request& request) override {
    const auto here = disk_place{access_, "stage"};
    if (here.fails())
      return refuse(ec::io_failed, "the disk failed");
    if (is_taken(request.tag))
      return refuse(ec::snapshot_exists, request.tag.value);
    const bool is_diff = request.form == memory_form::diff;
    const auto needed = is_diff ? request.expected_bytes : request.memory_bytes;
    if (needed > free_bytes())
      return refuse(ec::disk_full, "the disk is full",
                    {.outcome = reserve_outcome::no_space,
                     .missing_bytes = needed - free_bytes()});
    auto files =
      disk_files{.tag = request.tag,
                 .memory = make_file(is_diff ? 0 : request.memory_bytes),
                 .vmstate = make_file(0),
                 .form = request.form,
                 .bytes = request.memory_bytes,
                 .stored = needed};
    if (auto based = take_base(request, files); !based)
      return refuse(based.error().code, based.error().message);
    disk_->staged[request.operation] = files;
    here.leave();
    return std::make_unique<open_staging>(
      std::move(files), reservation{.outcome = reserve_outcome::reserved,
                                    .reserved_bytes = needed,
                                    .file_system = file_system()});
  }

  expected<snapshot_info> seal(const seal_request& request,
                               staging_area& area) override {
    const auto here = disk_place{access_, "seal"};
    if (here.fails())
      return fail(ec::io_failed, "the disk failed");
    auto staged = disk_->staged.extract(request.operation);
    if (staged.empty())
      return fail(ec::io_failed, "nothing is staged");
    auto& files = staged.mapped();
    const auto& sink = dynamic_cast<open_staging&>(area).sink();
    if (files.form == memory_form::diff) {
      files.changed = sink.changed();
      files.stored = sink.written_bytes();
    }
    // This also holds the base to be there, and to have its root.
    if (auto whole = disk_->check_whole(files); !whole)
      disk_->violations.push_back("a snapshot that is visible is not whole: "
                                  + to_string(whole.error()));
    if (disk_->sealed.contains(request.tag))
      disk_->violations.push_back("a sealed snapshot was replaced: "
                                  + request.tag.value);
    const auto info = info_of(request, files);
    disk_->sealed[request.tag] = {info, request.contract, files};
    disk_->roots.insert(info.root_hash);
    here.leave();
    return info;
  }

  void discard(const operation_id& operation) noexcept override {
    if (!access_.is_over())
      disk_->staged.erase(operation);
  }

  std::vector<snapshot_info> list() override {
    auto result = std::vector<snapshot_info>{};
    for (const auto& [tag, snapshot] : disk_->sealed)
      result.push_back(fresh(snapshot));
    return result;
  }

  expected<snapshot_files> open(const snapshot_tag& tag) override {
    const auto found = disk_->sealed.find(tag);
    if (found == disk_->sealed.end())
      return fail(ec::unknown_snapshot, tag.value);
    const auto& snapshot = found->second;
    const auto places = disk_->places_of(snapshot.files);
    if (!places)
      return tl::unexpected{places.error()};
    return snapshot_files{.info = fresh(snapshot),
                          .contract = snapshot.contract,
                          .memory =
                            layout_of(*places, disk_->flat_of(snapshot.files)),
                          .vmstate_path = path_of(snapshot.files.vmstate),
                          .is_vouched = true};
  }

  expected<memory_image_ptr> image(const snapshot_tag& tag) override {
    const auto found = disk_->sealed.find(tag);
    if (found == disk_->sealed.end())
      return fail(ec::unknown_snapshot, tag.value);
    auto places = disk_->places_of(found->second.files);
    if (!places)
      return tl::unexpected{places.error()};
    return image_of(std::move(*places));
  }

  snapshot_info find_base(const std::string& root_hash,
                          const snapshot_tag&) override {
    for (const auto& [tag, snapshot] : disk_->sealed)
      if (snapshot.info.root_hash == root_hash)
        return fresh(snapshot);
    return {};
  }

  bool can_clone() override { return disk_->can_clone; }

  status flatten(const snapshot_tag& tag, const stop_asked& stop) override {
    const auto here = disk_place{access_, "flatten"};
    if (here.fails())
      return fail(ec::io_failed, "the disk failed");
    const auto found = disk_->sealed.find(tag);
    if (found == disk_->sealed.end())
      return fail(ec::unknown_snapshot, tag.value);
    if (stop && stop())
      return fail(ec::interrupted, "flattening " + tag.value);
    auto& files = found->second.files;
    if (files.form != memory_form::diff)
      return {};
    const auto places = disk_->places_of(files);
    if (!places)
      return tl::unexpected{places.error()};
    files.memory = test::flatten(*places);
    files.form = memory_form::flat;
    files.stored = files.bytes;
    files.base = {};
    files.base_hash = {};
    files.changed = {};
    here.leave();
    return {};
  }

  expected<verify_result> verify(const snapshot_tag& tag,
                                 const stop_asked&) override {
    const auto found = disk_->sealed.find(tag);
    if (found == disk_->sealed.end())
      return fail(ec::unknown_snapshot, tag.value);
    const auto& files = found->second.files;
    if (auto whole = disk_->check_whole(files); !whole)
      return tl::unexpected{whole.error()};
    return verify_result{.bytes = files.bytes, .hashes = 1};
  }

  expected<snapshot_info> annotate(const snapshot_tag& tag,
                                   const label_change& change) override {
    const auto here = disk_place{access_, "annotate"};
    if (here.fails())
      return fail(ec::io_failed, "the disk failed");
    const auto found = disk_->sealed.find(tag);
    if (found == disk_->sealed.end())
      return fail(ec::unknown_snapshot, tag.value);
    auto& info = found->second.info;
    const auto words = changed({info.labels, info.note}, change);
    if (!words)
      return tl::unexpected{words.error()};
    info.labels = words->labels;
    info.note = words->note;
    here.leave();
    return fresh(found->second);
  }

  expected<snapshot_usage> usage(const snapshot_tag& tag) override {
    const auto found = disk_->sealed.find(tag);
    if (found == disk_->sealed.end())
      return fail(ec::unknown_snapshot, tag.value);
    return snapshot_usage{.info = fresh(found->second),
                          .unique_bytes = found->second.files.stored};
  }

  expected<image_difference> compare(const snapshot_tag&, const snapshot_tag&,
                                     const stop_asked&) override {
    return fail(ec::unsupported, "a simulated disk compares nothing");
  }

  expected<archive_result> export_to(const snapshot_tag&, const std::string&,
                                     const stop_asked&) override {
    return fail(ec::unsupported, "a simulated disk has no archives");
  }

  expected<archive_contents> look_into(const std::string&) override {
    return fail(ec::unsupported, "a simulated disk has no archives");
  }

  expected<archive_result> import_from(const std::string&, const snapshot_tag&,
                                       const stop_asked&,
                                       const archive_belief&) override {
    return fail(ec::unsupported, "a simulated disk has no archives");
  }

  status settle(deadline_point) override { return {}; }
  uint64_t unwritten_bytes() override { return 0; }

  status remove(const snapshot_tag& tag, std::optional<uint64_t>) override {
    const auto here = disk_place{access_, "remove"};
    if (here.fails())
      return fail(ec::io_failed, "the disk failed");
    for (const auto& [other, snapshot] : disk_->sealed)
      if (snapshot.files.base == tag)
        return needed_by(tag, other.value);
    for (const auto& [operation, files] : disk_->staged)
      if (files.base == tag)
        return needed_by(tag, operation.value);
    if (disk_->sealed.erase(tag) == 0)
      return fail(ec::unknown_snapshot, tag.value);
    here.leave();
    return {};
  }

  uint64_t free_bytes() override {
    const auto used = disk_->used_bytes();
    return disk_->capacity_bytes > used ? disk_->capacity_bytes - used : 0;
  }

  std::string file_system() override { return "simulated"; }

private:
  static tl::unexpected<failure> needed_by(const snapshot_tag& tag,
                                           const std::string& who) {
    return fail(ec::invalid_request,
                tag.value + " is the base of " + who + "; flatten that first");
  }

  bool is_taken(const snapshot_tag& tag) const {
    if (disk_->sealed.contains(tag))
      return true;
    for (const auto& [operation, files] : disk_->staged)
      if (files.tag == tag)
        return true;
    return false;
  }

  status take_base(const staging_request& request, disk_files& files) {
    if (request.form == memory_form::flat)
      return {};
    const auto base = disk_->sealed.find(request.base);
    if (base == disk_->sealed.end())
      return fail(ec::unknown_snapshot, request.base.value);
    if (base->second.info.root_hash != request.base_hash)
      return fail(ec::invalid_request, request.base.value + " is another one");
    if (request.form == memory_form::diff) {
      files.base = request.base;
      files.base_hash = request.base_hash;
      return {};
    }
    const auto places = disk_->places_of(base->second.files);
    if (!places)
      return tl::unexpected{places.error()};
    files.memory = test::flatten(*places);
    return {};
  }

  /// What is known of it, as deep as its chain is now.
  snapshot_info fresh(const sealed_snapshot& snapshot) const {
    auto result = snapshot.info;
    result.base = snapshot.files.base;
    result.depth = disk_->depth_of(snapshot.files);
    result.stored_bytes = snapshot.files.stored;
    return result;
  }

  snapshot_info info_of(const seal_request& request, const disk_files& files) {
    const auto name = request.tag.value + "/" + request.operation.value;
    const auto root = std::hash<std::string>{}(files.base_hash + name);
    return fresh({{.tag = request.tag,
                   .host = disk_->host,
                   .source = request.source,
                   .parent = request.parent,
                   .operation = request.operation,
                   .mode = request.mode,
                   .method = request.method,
                   .driver = request.contract.driver,
                   .root_hash = fmt::format("{:064x}", root),
                   .memory_bytes = request.memory_bytes,
                   .created_at = access_.wall(),
                   .labels = request.words.labels,
                   .note = request.words.note,
                   .limits = request.limits,
                   .origin = snapshot_origin::sealed},
                  request.contract,
                  files});
  }

  simulated_disk_ptr disk_;
  disk_access access_;
};

} // namespace

snapshot_store_ptr open_store(simulated_disk_ptr disk, disk_access access) {
  return std::make_shared<store>(std::move(disk), std::move(access));
}

} // namespace forkfleet::test
