#ifndef MIMI_SRC_BASE_MUTEX_H_
#define MIMI_SRC_BASE_MUTEX_H_

// Mutex: std::mutex with the annotations by which clang checks at compile time
// that guarded members are touched under their lock. Not absl::Mutex: the
// distribution's is not built for ThreadSanitizer, which then reports races
// that are none.
//
//   Mutex mutex_;
//   std::vector<Task> tasks_ MIMI_GUARDED_BY(mutex_);
//   …
//   MutexLock lock(mutex_);
//   tasks_.push_back(task);
//
// Threads: any.

#include <mutex>

#if defined(__clang__)
#define MIMI_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define MIMI_THREAD_ANNOTATION(x)
#endif

#define MIMI_GUARDED_BY(mutex) MIMI_THREAD_ANNOTATION(guarded_by(mutex))
/// On a function: the caller holds the lock, or must not hold it.
#define MIMI_REQUIRES(mutex) MIMI_THREAD_ANNOTATION(requires_capability(mutex))
#define MIMI_EXCLUDES(mutex) MIMI_THREAD_ANNOTATION(locks_excluded(mutex))

namespace mimi {

class MIMI_THREAD_ANNOTATION(capability("mutex")) Mutex {
 public:
  void lock() MIMI_THREAD_ANNOTATION(acquire_capability()) { mutex_.lock(); }
  void unlock() MIMI_THREAD_ANNOTATION(release_capability()) { mutex_.unlock(); }
  bool try_lock() MIMI_THREAD_ANNOTATION(try_acquire_capability(true)) { return mutex_.try_lock(); }

 private:
  std::mutex mutex_;
};

/// Holds a lock to the end of the scope. With a condition:
/// std::condition_variable_any on the Mutex.
class MIMI_THREAD_ANNOTATION(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) MIMI_THREAD_ANNOTATION(acquire_capability(mutex))
      : mutex_(mutex) {
    mutex_.lock();
  }
  ~MutexLock() MIMI_THREAD_ANNOTATION(release_capability()) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

}  // namespace mimi

#endif  // MIMI_SRC_BASE_MUTEX_H_
