// SPDX-License-Identifier: Apache-2.0
#include "tests/support/simulated_disk.hpp"

#include <sys/mman.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "node/simulated/faults.hpp"
#include "node/simulated/guest.hpp"
#include "node/storage/file.hpp"
#include "node/storage/flat_sink.hpp"

namespace forkfleet::test {

namespace {

std::string path_of(const std::shared_ptr<unique_fd>& file) {
  return fmt::format("/proc/self/fd/{}", file->get());
}

std::shared_ptr<unique_fd> make_file(const char* name) {
  return std::make_shared<unique_fd>(memfd_create(name, MFD_CLOEXEC));
}

/// One place of the disk's code, with what goes wrong there.
class place {
public:
  place(const disk_access& access, std::string_view name) : access_{access} {
    if (access_.is_over())
      throw simulated_crash{};
    trouble_ = access_.trouble(name);
    if (trouble_ == disk_trouble::crash_before)
      end_node();
  }
  bool fails() const { return trouble_ == disk_trouble::fail; }
  void leave() const {
    if (trouble_ == disk_trouble::crash_after)
      end_node();
  }

private:
  [[noreturn]] void end_node() const {
    access_.crash();
    throw simulated_crash{};
  }

  const disk_access& access_;
  disk_trouble trouble_ = disk_trouble::none;
};

class open_staging : public staging_area {
public:
  open_staging(disk_files files, reservation reserved)
    : files_(std::move(files)), reserved_(std::move(reserved)),
      sink_(files_.memory->get(), "memory") {}
  memory_sink& memory() override { return sink_; }
  int vmstate_fd() const override { return files_.vmstate->get(); }
  const reservation& reserved() const override { return reserved_; }

private:
  disk_files files_;
  reservation reserved_;
  flat_sink sink_;
};

/// The memory of a sealed snapshot.
class file_image : public memory_image {
public:
  explicit file_image(disk_files files) : files_(std::move(files)) {}
  uint64_t bytes() const override { return files_.bytes; }
  status read(uint64_t address, std::span<uint8_t> into) const override {
    return read_at(files_.memory->get(), into, address, "memory");
  }

private:
  disk_files files_;
};

class store : public snapshot_store {
public:
  store(simulated_disk_ptr disk, disk_access access)
    : disk_(std::move(disk)), access_(std::move(access)) {}

  tl::expected<staging_ptr, staging_failure>
  stage(const staging_request& request) override {
    const auto here = place{access_, "stage"};
    if (here.fails())
      return tl::unexpected{
        staging_failure{{ec::io_failed, "the disk failed"}, {}}};
    if (is_taken(request.tag))
      return tl::unexpected{
        staging_failure{{ec::snapshot_exists, request.tag.value}, {}}};
    const auto used = disk_->used_bytes();
    const auto free =
      disk_->capacity_bytes > used ? disk_->capacity_bytes - used : 0;
    if (request.memory_bytes > free)
      return tl::unexpected{
        staging_failure{{ec::disk_full, "the disk is full"},
                        {.outcome = reserve_outcome::no_space,
                         .missing_bytes = request.memory_bytes - free}}};
    auto files = disk_files{.tag = request.tag,
                            .memory = make_file("memory"),
                            .vmstate = make_file("vmstate"),
                            .bytes = request.memory_bytes};
    if (ftruncate(files.memory->get(), static_cast<off_t>(files.bytes)) != 0)
      return tl::unexpected{
        staging_failure{{ec::io_failed, "the disk failed"}, {}}};
    disk_->staged[request.operation] = files;
    here.leave();
    return std::make_unique<open_staging>(
      std::move(files), reservation{.outcome = reserve_outcome::reserved,
                                    .reserved_bytes = request.memory_bytes,
                                    .file_system = file_system()});
  }

  expected<snapshot_info> seal(const seal_request& request,
                               staging_area&) override {
    const auto here = place{access_, "seal"};
    if (here.fails())
      return fail(ec::io_failed, "the disk failed");
    auto staged = disk_->staged.extract(request.operation);
    if (staged.empty())
      return fail(ec::io_failed, "nothing is staged");
    const auto& files = staged.mapped();
    if (auto whole = disk_->check_whole(files); !whole)
      disk_->violations.push_back("a snapshot that is visible is not whole: "
                                  + to_string(whole.error()));
    if (disk_->sealed.contains(request.tag))
      disk_->violations.push_back("a sealed snapshot was replaced: "
                                  + request.tag.value);
    const auto info = info_of(request, files);
    disk_->sealed[request.tag] = {info, request.contract, files};
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
      result.push_back(snapshot.info);
    return result;
  }

  expected<snapshot_files> open(const snapshot_tag& tag) override {
    const auto found = disk_->sealed.find(tag);
    if (found == disk_->sealed.end())
      return fail(ec::unknown_snapshot, tag.value);
    const auto& snapshot = found->second;
    return snapshot_files{.info = snapshot.info,
                          .contract = snapshot.contract,
                          .memory = flat_layout(path_of(snapshot.files.memory),
                                                snapshot.files.bytes),
                          .vmstate_path = path_of(snapshot.files.vmstate)};
  }

  expected<memory_image_ptr> image(const snapshot_tag& tag) override {
    const auto found = disk_->sealed.find(tag);
    if (found == disk_->sealed.end())
      return fail(ec::unknown_snapshot, tag.value);
    return std::make_shared<file_image>(found->second.files);
  }

  snapshot_info find_root(const std::string& root_hash) override {
    for (const auto& [tag, snapshot] : disk_->sealed)
      if (snapshot.info.root_hash == root_hash)
        return snapshot.info;
    return {};
  }

  bool can_clone() override { return false; }

  status flatten(const snapshot_tag& tag, const stop_asked&) override {
    const auto found = disk_->sealed.find(tag);
    if (found == disk_->sealed.end())
      return fail(ec::unknown_snapshot, tag.value);
    found->second.info.depth = 0;
    found->second.info.base = {};
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

  expected<archive_result> export_to(const snapshot_tag&, const std::string&,
                                     const stop_asked&) override {
    return fail(ec::unsupported, "a simulated disk has no archives");
  }

  expected<archive_result> import_from(const std::string&, const snapshot_tag&,
                                       const stop_asked&) override {
    return fail(ec::unsupported, "a simulated disk has no archives");
  }

  status settle(deadline_point) override { return {}; }
  uint64_t unwritten_bytes() override { return 0; }

  status remove(const snapshot_tag& tag) override {
    const auto here = place{access_, "remove"};
    if (here.fails())
      return fail(ec::io_failed, "the disk failed");
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
  bool is_taken(const snapshot_tag& tag) const {
    if (disk_->sealed.contains(tag))
      return true;
    for (const auto& [operation, files] : disk_->staged)
      if (files.tag == tag)
        return true;
    return false;
  }

  snapshot_info info_of(const seal_request& request, const disk_files& files) {
    const auto guest =
      read_guest(path_of(files.memory), path_of(files.vmstate));
    return {.tag = request.tag,
            .host = disk_->host,
            .source = request.source,
            .parent = request.parent,
            .operation = request.operation,
            .mode = request.mode,
            .method = request.method,
            .driver = request.contract.driver,
            .root_hash = fmt::format("{:064x}", guest ? guest->tick : 0),
            .memory_bytes = request.memory_bytes,
            .stored_bytes = files.bytes,
            .created_at = access_.wall()};
  }

  simulated_disk_ptr disk_;
  disk_access access_;
};

class journal : public operation_journal {
public:
  journal(simulated_disk_ptr disk, disk_access access)
    : disk_(std::move(disk)), access_(std::move(access)) {}

  status open(const branch_request& request) override {
    const auto here = place{access_, "journal.open"};
    if (here.fails())
      return fail(ec::io_failed, "the disk failed");
    const auto& id = request.operation;
    if (disk_->journal.contains(id))
      disk_->violations.push_back("an operation began twice: " + id.value);
    else
      disk_->journal_order.push_back(id);
    disk_->journal[id] = {.request = request};
    here.leave();
    return {};
  }

  status mark_pause(const operation_id& operation, bool paused) override {
    const auto here = place{access_, "journal.mark_pause"};
    auto& entry = disk_->journal[operation];
    const auto which = paused ? stage::pause : stage::resume;
    entry.report.stages.push_back({.which = which});
    if (paused && ++disk_->pauses_begun[operation] > 1)
      disk_->violations.push_back("an operation paused its guest twice: "
                                  + operation.value);
    here.leave();
    return {};
  }

  status close(const branch_report& report) override {
    const auto here = place{access_, "journal.close"};
    auto& entry = disk_->journal[report.operation];
    if (entry.ended)
      disk_->violations.push_back("an operation ended twice: "
                                  + report.operation.value);
    entry.ended = true;
    entry.report = report;
    access_.on_close(report);
    here.leave();
    return {};
  }

  std::vector<journal_entry> load(std::vector<std::string>&) override {
    auto result = std::vector<journal_entry>{};
    for (const auto& id : disk_->journal_order)
      result.push_back(disk_->journal.at(id));
    return result;
  }

private:
  simulated_disk_ptr disk_;
  disk_access access_;
};

} // namespace

uint64_t simulated_disk::used_bytes() const {
  uint64_t result = 0;
  for (const auto& [tag, snapshot] : sealed)
    result += snapshot.files.bytes;
  for (const auto& [operation, files] : staged)
    result += files.bytes;
  return result;
}

void simulated_disk::lose_power() {
  staged.clear();
}

status simulated_disk::check_whole(const disk_files& files) const {
  const auto guest = read_guest(path_of(files.memory), path_of(files.vmstate));
  if (!guest)
    return tl::unexpected{guest.error()};
  return {};
}

snapshot_store_ptr open_store(simulated_disk_ptr disk, disk_access access) {
  return std::make_shared<store>(std::move(disk), std::move(access));
}

operation_journal_ptr open_journal(simulated_disk_ptr disk,
                                   disk_access access) {
  return std::make_shared<journal>(std::move(disk), std::move(access));
}

} // namespace forkfleet::test
