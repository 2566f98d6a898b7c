// SPDX-License-Identifier: Apache-2.0
#include "node/storage/file_journal.hpp"

#include <algorithm>
#include <fcntl.h>
#include <unistd.h>

#include "actors/fault.hpp"
#include "actors/schema/json.hpp"
#include "node/storage/file.hpp"

namespace forkfleet {

namespace {

constexpr std::string_view entry_suffix = ".json";
constexpr std::string_view pause_suffix = ".pause";
constexpr const char* damaged_name = "damaged";

/// The byte of a pause file.
constexpr char never_paused = '0';
constexpr char standing = '1';
constexpr char running_again = '2';

/// One file of the journal.
struct journal_file {
  uint64_t sequence = 0;
  journal_entry entry = {};

  static constexpr schema::about about{"journal_file",
                                       "One operation of a node."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("sequence", &journal_file::sequence,
                    "Greater than that of all that was written before.",
                    schema::need::required),
      schema::field("entry", &journal_file::entry, "The operation.",
                    schema::need::required),
    };
  }
};

bool ends_in(std::string_view name, std::string_view suffix) {
  return name.size() > suffix.size() && name.ends_with(suffix);
}

operation_id operation_of(std::string_view name, std::string_view suffix) {
  return {std::string{name.substr(0, name.size() - suffix.size())}};
}

/// How far an operation got that has not ended.
std::vector<stage_timing> stages_of(const unique_fd& pause) {
  char mark = never_paused;
  if (!pause || ::pread(pause.get(), &mark, 1, 0) != 1)
    return {};
  if (mark == standing)
    return {{.which = stage::pause}};
  if (mark == running_again)
    return {{.which = stage::pause}, {.which = stage::resume}};
  return {};
}

journal_entry intent(const branch_request& request) {
  return {.request = request,
          .report = {.operation = request.operation,
                     .sandbox = request.sandbox,
                     .tag = request.tag,
                     .mode = request.mode,
                     .subject = request.subject}};
}

} // namespace

expected<std::shared_ptr<file_journal>>
file_journal::open_in(data_directory_ptr data) {
  const std::shared_ptr<file_journal> result{new file_journal(std::move(data))};
  if (auto scanned = result->scan(); !scanned)
    return tl::unexpected<failure>(scanned.error());
  return result;
}

status file_journal::scan() {
  const auto names = list_directory(data_->operations());
  if (!names)
    return tl::unexpected<failure>(names.error());
  for (const auto& name : *names) {
    if (!ends_in(name, entry_suffix))
      continue;
    const auto text = read_small_file(data_->operations() + "/" + name);
    // What cannot be read today may be read tomorrow: only what was read and
    // is no entry is set aside.
    if (!text)
      unread_.insert(operation_of(name, entry_suffix));
    if (!text)
      problems_.push_back(text.error().message
                          + "; it is left as it is, and not known");
    else if (auto good = scan_one(name, *text); !good)
      set_aside(name, good.error().message);
  }
  drop_strays(*names);
  prune();
  return {};
}

status file_journal::scan_one(const std::string& name,
                              const std::string& text) {
  const auto value = schema::parse_json(text);
  if (!value)
    return tl::unexpected<failure>(value.error());
  const auto file = schema::from_json<journal_file>(*value);
  if (!file)
    return tl::unexpected<failure>(file.error());
  const auto& operation = file->entry.request.operation;
  if (!is_valid(operation) || operation != operation_of(name, entry_suffix))
    return fail(ec::io_failed,
                "it is of the operation '" + operation.value + "'");
  known found{.sequence = file->sequence, .entry = file->entry};
  // Without its mark the guest is taken for running; recovery asks the VM.
  if (!found.entry.ended)
    if (auto mark = pause_mark(operation, false); mark)
      found.pause = std::move(*mark);
  sequence_ = std::max(sequence_, found.sequence);
  known_[operation] = std::move(found);
  return {};
}

void file_journal::set_aside(const std::string& name, const std::string& why) {
  const auto path = data_->operations() + "/" + name;
  const auto directory = data_->operations() + "/" + damaged_name;
  auto where = directory + "/" + name;
  const auto made = make_directory(directory);
  const auto kept = list_directory(directory);
  const bool has_room = made && kept && kept->size() < damaged_max;
  if (!has_room || !rename_file(path, where)) {
    static_cast<void>(remove_tree(data_->operations(), name));
    where = "nowhere: it was removed";
  }
  problems_.push_back(path + " cannot be read: " + why + "; moved to " + where);
}

void file_journal::drop_strays(const std::vector<std::string>& names) {
  for (const auto& name : names) {
    const bool unfinished = ends_in(name, unfinished_suffix);
    const auto owner = known_.find(operation_of(name, pause_suffix));
    const bool useless =
      ends_in(name, pause_suffix)
      && !unread_.contains(operation_of(name, pause_suffix))
      && (owner == known_.end() || owner->second.entry.ended);
    if (unfinished || useless)
      static_cast<void>(remove_tree(data_->operations(), name));
  }
}

expected<unique_fd> file_journal::pause_mark(const operation_id& operation,
                                             bool fresh) {
  const auto path = path_of(operation, pause_suffix);
  auto fd = open_file(path, fresh ? O_RDWR | O_CREAT | O_TRUNC : O_RDWR);
  if (!fd || !fresh)
    return fd;
  if (auto written =
        write_at(fd->get(), std::string_view{&never_paused, 1}, 0, path);
      !written)
    return tl::unexpected<failure>(written.error());
  return fd;
}

status file_journal::write(const journal_entry& entry,
                           uint64_t sequence) const {
  const journal_file file{sequence, entry};
  return write_durably(path_of(entry.request.operation, entry_suffix),
                       schema::dump(schema::to_json(file)) + "\n");
}

expected<uint64_t> file_journal::take_place(const branch_request& request) {
  const auto& operation = request.operation;
  if (!is_valid(operation))
    return fail(ec::invalid_request,
                "'" + operation.value + "' is no operation's id");
  const std::lock_guard lock{mutex_};
  if (unread_.contains(operation))
    return fail(ec::io_failed, path_of(operation, entry_suffix)
                                 + " could not be read: what became of this "
                                   "operation is not known");
  const auto found = known_.find(operation);
  if (found != known_.end() && found->second.entry.ended)
    return fail(ec::invalid_request,
                "operation " + operation.value + " has ended already");
  if (found != known_.end())
    return fail(ec::branch_in_progress,
                "operation " + operation.value + " is in the journal");
  const auto in_flight =
    std::count_if(known_.begin(), known_.end(),
                  [](const auto& each) { return !each.second.entry.ended; });
  if (static_cast<std::size_t>(in_flight) >= open_max)
    return fail(ec::node_busy,
                std::to_string(open_max) + " operations have not ended");
  auto& x = known_[operation];
  x.entry = intent(request);
  x.sequence = ++sequence_;
  return x.sequence;
}

void file_journal::forget(const operation_id& operation) {
  for (const auto suffix : {entry_suffix, pause_suffix})
    static_cast<void>(remove_file(path_of(operation, suffix)));
  const std::lock_guard lock{mutex_};
  known_.erase(operation);
}

status file_journal::open(const branch_request& request) {
  const auto sequence = take_place(request);
  if (!sequence)
    return tl::unexpected<failure>(sequence.error());
  auto mark = pause_mark(request.operation, true);
  status done;
  if (!mark)
    done = tl::unexpected<failure>(mark.error());
  if (done)
    done = write(intent(request), *sequence);
  if (done)
    done = fault_point("journal.opened");
  if (!done) {
    forget(request.operation);
    return done;
  }
  const std::lock_guard lock{mutex_};
  known_[request.operation].pause = std::move(*mark);
  return {};
}

status file_journal::mark_pause(const operation_id& operation, bool paused) {
  int fd = -1;
  {
    const std::lock_guard lock{mutex_};
    const auto found = known_.find(operation);
    if (found == known_.end() || found->second.entry.ended)
      return fail(ec::unknown_operation,
                  "operation " + operation.value + " is not open");
    auto& x = found->second;
    if (!x.pause) {
      auto mark = pause_mark(operation, true);
      if (!mark)
        return tl::unexpected<failure>(mark.error());
      x.pause = std::move(*mark);
    }
    fd = x.pause.get();
  }
  const char mark = paused ? standing : running_again;
  return write_at(fd, std::string_view{&mark, 1}, 0, "pause mark");
}

status file_journal::close(const branch_report& report) {
  journal_entry ended;
  uint64_t sequence = 0;
  {
    const std::lock_guard lock{mutex_};
    const auto found = known_.find(report.operation);
    if (found == known_.end())
      return fail(ec::unknown_operation, "operation " + report.operation.value
                                           + " is not in the journal");
    ended = {found->second.entry.request, true, report};
    sequence = ++sequence_;
  }
  if (auto written = write(ended, sequence); !written)
    return written;
  static_cast<void>(remove_file(path_of(report.operation, pause_suffix)));
  {
    const std::lock_guard lock{mutex_};
    known_[report.operation] = {sequence, std::move(ended), {}};
  }
  prune();
  return fault_point("journal.closed");
}

void file_journal::prune() {
  const std::lock_guard lock{mutex_};
  std::vector<std::pair<uint64_t, operation_id>> ended;
  for (const auto& [operation, x] : known_)
    if (x.entry.ended)
      ended.emplace_back(x.sequence, operation);
  if (ended.size() <= entries_max)
    return;
  std::sort(ended.begin(), ended.end());
  ended.resize(ended.size() - entries_max);
  for (const auto& [sequence, operation] : ended) {
    static_cast<void>(remove_file(path_of(operation, entry_suffix)));
    known_.erase(operation);
  }
}

std::vector<journal_entry>
file_journal::load(std::vector<std::string>& problems) {
  const std::lock_guard lock{mutex_};
  std::vector<const known*> ordered;
  for (const auto& [operation, x] : known_)
    ordered.push_back(&x);
  std::sort(ordered.begin(), ordered.end(), [](const known* a, const known* b) {
    return a->sequence < b->sequence;
  });
  std::vector<journal_entry> result;
  for (const auto* x : ordered) {
    result.push_back(x->entry);
    if (!x->entry.ended)
      result.back().report.stages = stages_of(x->pause);
  }
  problems.insert(problems.end(), problems_.begin(), problems_.end());
  problems_.clear();
  return result;
}

std::string file_journal::path_of(const operation_id& operation,
                                  std::string_view suffix) const {
  return data_->operations() + "/" + operation.value + std::string{suffix};
}

} // namespace forkfleet
