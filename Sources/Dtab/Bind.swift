/// Binds a name as far as the namers' present answers go: look-up after look-up until only bound leaves remain.
///
/// Where the dtab knows nothing of a path (or its only matching entry says `~`), `namer` is asked for it, once for each
/// distinct path of this call. Branches of an alternation behind the one that answers are not looked at.
@inlinable public func bind<Bound>(
  _ path: Path, dtab: Dtab, limits: BindLimits = BindLimits(), namer: (Path) -> LookupState<Bound>
) -> BindState<Bound> {
  withoutActuallyEscaping(namer) { namer in
    var binder = Binder(dtab: dtab, limits: limits, explains: false, namer: namer)
    return binder.bind(path, depth: 0, live: true, dentry: nil).state
  }
}

/// Binds a name as `bind` does and tells how: the root's `state` is what `bind` returns for the same arguments.
///
/// Alternatives that routing does not reach are followed as well, on a node budget of their own; `namer` is asked for
/// their paths too.
@inlinable public func delegate<Bound>(
  _ path: Path, dtab: Dtab, limits: BindLimits = BindLimits(), namer: (Path) -> LookupState<Bound>
) -> DelegationNode<Bound> {
  withoutActuallyEscaping(namer) { namer in
    var binder = Binder(dtab: dtab, limits: limits, explains: true, namer: namer)
    return binder.bind(path, depth: 0, live: true, dentry: nil).node!
  }
}
