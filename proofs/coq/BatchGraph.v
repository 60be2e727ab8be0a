(* Batches and their numbers, for the rule "batch-state" (Batches.v).

   A batch is a list of codes, those who run: one with prompt s that has run for j rounds has the code j W + s,
   where W is more than any prompt.  Codes ascend.  `find_batches` finds those that may be there, and the last time of each,
   and gives them numbers, those first that may be there last; nothing is proved about it.  `batch_graph` then has, by
   number, which batch comes before a round, and what a completion makes of a batch; it is there only if it has the batch
   before each round, and all that fit with one more, as long as both may be there. *)

From Coq Require Import ZArith List Lia Bool FMapPositive.
From Kvopt Require Import Keys Released Vectors Exhaustive.
Import ListNotations.
Open Scope Z_scope.

(* --- Batches ----------------------------------------------------------------------------- *)

Fixpoint insert_code (e : Z) (h : list Z) : list Z :=
  match h with
  | [] => [e]
  | x :: rest => if e <=? x then e :: h else x :: insert_code e rest
  end.

(* The batch after the completions of the time before. *)
Fixpoint before (W : Z) (h : list Z) : list Z :=
  match h with
  | [] => []
  | e :: rest => if e <? 2 * W then before W rest else (e - W) :: before W rest
  end.

(* The tokens in use in the round that ends. *)
Definition tokens_of (W : Z) (h : list Z) : Z := fold_right (fun e n => e / W + e mod W + n) 0 h.

(* A type: the code of who completes, and its tokens; the largest of its duals, and the one farthest
   from 0; its place in the number that says how many of each type have yet to complete; its output, the
   steps (release, dual) of its price, and (release, dual) of who completes if 1, 2, ... are left. *)
Record kind := Kind {
  code : Z; size : Z; dual : Z; far : Z; unit : Z; radix : Z;
  run : Z; steps : list (Z * Z); queue : PositiveMap.t (Z * Z)
}.

(* The last time at which a completion of a type costs no more than z. *)
Definition last_completion (D z : Z) (k : kind) : Z := (dual k + z) / D.

(* --- Numbers (nothing is proved about them) ---------------------------------------------- *)

Definition numbers_of_batches := KeyMap.t Z.
Definition max_batches : Z := 8000000.

(* By time, those who may be there then, the empty batch at the top first.  A batch that may be there at time t leads to
   that before the round, at t - 1, and to those with one more, until the one or the other may not.  Batches get the
   last time, and how many were found before. *)
Definition waiting_room : Type := KeyMap.t (list (list Z)).
Definition waiting_at (t : Z) (later : waiting_room) : list (list Z) :=
  match KeyMap.find [t] later with Some l => l | None => [] end.
Definition wait_for (first t : Z) (h : list Z) (later : waiting_room) : waiting_room :=
  if t <? first then later else KeyMap.add [t] (h :: waiting_at t later) later.

Definition grow_batch (first D z t left : Z) (h : list Z) (x : list (list Z) * waiting_room) (k : kind) : list (list Z) * waiting_room :=
  if left <? size k then x
  else
    let last := last_completion D z k in
    let more := insert_code (code k) h in
    if t <=? last then (more :: fst x, snd x) else (fst x, wait_for first last more (snd x)).

Fixpoint batches_until (first M W D z : Z) (kinds : list kind) (fuel : nat) (t : Z) (now : list (list Z)) (later : waiting_room)
    (n : Z) (found : KeyMap.t (Z * Z)) : KeyMap.t (Z * Z) :=
  match fuel with
  | O => found
  | S fuel' =>
      match now with
      | [] =>
          if t <=? first then found
          else batches_until first M W D z kinds fuel' (t - 1) (waiting_at (t - 1) later) (KeyMap.remove [t - 1] later) n found
      | h :: now' =>
          match KeyMap.find h found with
          | Some _ => batches_until first M W D z kinds fuel' t now' later n found
          | None =>
              if max_batches <? n then found
              else
                let (more, later') := fold_left (grow_batch first D z t (M - tokens_of W h) h) kinds
                  (now', wait_for first (t - 1) (before W h) later) in
                batches_until first M W D z kinds fuel' t more later' (n + 1) (KeyMap.add h (t, n) found)
          end
      end
  end.

(* Numbers, how many there are, the last time of each, and how many may be there at each time. *)
Definition find_batches (first M W D z top : Z) (kinds : list kind) : numbers_of_batches * (Z * (vector Z * vector Z)) :=
  let order := KeyMap.fold (fun h x S => KeyMap.add [top - fst x; Z.of_nat (length h); snd x] (fst x, h) S)
    (batches_until first M W D z kinds (Z.to_nat (2 ^ 60)) top [[]] (KeyMap.empty _) 0 (KeyMap.empty _))
    (KeyMap.empty (Z * list Z)) in
  let '(N, (n, ts)) := KeyMap.fold (fun _ y x =>
      let '(N, (n, ts)) := x in (KeyMap.add (snd y) n N, (n + 1, fst y :: ts)))
    order (KeyMap.empty Z, (0, [])) in
  let here := collect (top + 1) (map (fun t => (t, 0)) ts) in
  let counts := build 0 (top + 1) (fun below j => at_place 0 below (j - 1) + Z.of_nat (length (at_place [] here (top - j)))) in
  (N, (n, (Vector (rev' ts), tabulate (top + 1) (fun t => at_place 0 counts (top - t))))).

(* --- The graph --------------------------------------------------------------------------- *)

(* By number: batches after the round, the one before it; (type, batch) with one more who completes, and one less. *)
Record batch_graph := BatchGraph {
  how_many : Z;
  root : Z;
  nexts : vector (list Z);
  priors : vector (list Z);
  larger : vector (list (Z * Z));
  smaller : vector (list (Z * Z));
  lates : vector Z;  (* the last time at which each may be there *)
  reach : vector Z  (* at a time there may be those with smaller numbers than this *)
}.

(* With one more of each type that fits, if that may be there at time 1, and until the one or the other may not; types
   are numbered from `first`. *)
Fixpoint with_one_more (D z left : Z) (lates : vector Z) (N : numbers_of_batches) (n i : Z) (h : list Z) (first : Z) (kinds : list kind) : option (list (Z * Z)) :=
  match kinds with
  | [] => Some []
  | k :: rest =>
      match with_one_more D z left lates N n i h (first + 1) rest with
      | None => None
      | Some found =>
          if left <? size k then Some found
          else match KeyMap.find (insert_code (code k) h) N with
            | Some j => if (i <? j) && (j <? n) && (Z.min (last_completion D z k) (at_place (-1) lates i) <=? at_place (-1) lates j)
              then Some ((first, j) :: found) else None
            | None => if Z.min (last_completion D z k) (at_place (-1) lates i) <? 1 then Some found else None
            end
      end
  end.
Definition links : Type := Z * (Z * list (Z * Z)).
Definition links_of (M W D z : Z) (kinds : list kind) (lates reach : vector Z) (N : numbers_of_batches) (n r : Z)
    (x : list Z * Z) : option links :=
  let (h, i) := x in
  let t := at_place (-1) lates i in
  if (0 <=? i) && (i <? n) && (is_nil h || negb (i =? r)) && ((t <? 0) || (i <? at_place 0 reach t)) then
    match KeyMap.find (before W h) N, with_one_more D z (M - tokens_of W h) lates N n i h 0 kinds with
    | Some b, Some found =>
        if (0 <=? b) && (b <? n) && (t - 1 <=? at_place (-1) lates b) then Some (i, (b, found)) else None
    | None, Some found => if t <? 1 then Some (i, (-1, found)) else None
    | _, None => None
    end
  else None.

Fixpoint all_found {A B : Type} (f : A -> option B) (l : list A) (found : list B) : option (list B) :=
  match l with
  | [] => Some found
  | x :: rest => match f x with Some y => all_found f rest (y :: found) | None => None end
  end.

Fixpoint never_rising (l : list Z) : bool :=
  match l with x :: (y :: _) as rest => (y <=? x) && never_rising rest | _ => true end.

Definition graph_of (M W D z top : Z) (kinds : list kind) (lates reach : vector Z) (N : numbers_of_batches) (n : Z) :
    option batch_graph :=
  match KeyMap.find [] N, reach with
  | None, _ => None
  | Some r, Vector counts =>
      if never_rising counts && (top <=? at_place (-1) lates r) then
        match all_found (links_of M W D z kinds lates reach N n r) (KeyMap.elements N) [] with
        | None => None
        | Some all => Some (BatchGraph n r
            (collect n (map (fun x => (fst (snd x), fst x)) all))
            (collect n (map (fun x => (fst x, fst (snd x))) all))
            (collect n (flat_map (fun x => map (fun y => (fst x, y)) (snd (snd x))) all))
            (collect n (flat_map (fun x => map (fun y => (snd y, (fst y, fst x))) (snd (snd x))) all))
            lates reach)
        end
      else None
  end.

(* The graph of the batches that may be there at time `first` or later. *)
Definition graph_from (first M W D z top : Z) (kinds : list kind) : option batch_graph :=
  let '(N, (n, (lates, reach))) := find_batches first M W D z top kinds in graph_of M W D z top kinds lates reach N n.

(* Those at time 0 are needed if somebody who runs for longer may be there at time 1. *)
Definition some_graph (M W D z top : Z) (kinds : list kind) : option batch_graph :=
  match graph_from 1 M W D z top kinds with Some G => Some G | None => graph_from 0 M W D z top kinds end.

(* --- Proofs ------------------------------------------------------------------------------ *)

Lemma insert_swap x y h : insert_code x (insert_code y h) = insert_code y (insert_code x h).
Proof.
  induction h as [|a h IH]; cbn [insert_code].
  - destruct (Z.leb_spec x y), (Z.leb_spec y x); try reflexivity; try lia. replace y with x by lia. reflexivity.
  - destruct (Z.leb_spec y a), (Z.leb_spec x a); cbn [insert_code];
      repeat (match goal with |- context [?u <=? ?v] => destruct (Z.leb_spec u v) end; cbn [insert_code]);
      try lia; try reflexivity; try (replace y with x by lia; reflexivity). rewrite IH. reflexivity.
Qed.

Lemma before_insert W e h :
  before W (insert_code e h) = if e <? 2 * W then before W h else insert_code (e - W) (before W h).
Proof.
  induction h as [|a h IH]; cbn [insert_code before]; [destruct (e <? 2 * W); reflexivity|].
  destruct (Z.leb_spec e a); cbn [before].
  - destruct (Z.ltb_spec e (2 * W)); [reflexivity|]. destruct (Z.ltb_spec a (2 * W)); [lia|].
    cbn [insert_code]. destruct (Z.leb_spec (e - W) (a - W)); [reflexivity|lia].
  - destruct (Z.ltb_spec a (2 * W)); [exact IH|]. rewrite IH. destruct (Z.ltb_spec e (2 * W)); [lia|].
    cbn [insert_code]. destruct (Z.leb_spec (e - W) (a - W)); [lia|reflexivity].
Qed.

Lemma tokens_insert W e h : tokens_of W (insert_code e h) = e / W + e mod W + tokens_of W h.
Proof.
  unfold tokens_of. induction h as [|a h IH]; cbn [insert_code fold_right]; [lia|].
  destruct (e <=? a); cbn [fold_right]; [lia|]. rewrite IH. lia.
Qed.

Lemma insert_length e h : length (insert_code e h) = S (length h).
Proof. induction h as [|a h IH]; cbn [insert_code]; [reflexivity|]. destruct (e <=? a); cbn [length]; auto. Qed.

Lemma all_some_spec {A B : Type} (f : A -> option B) l : forall found all, all_found f l found = Some all ->
  (forall y, In y found -> In y all) /\ forall x, In x l -> exists y, f x = Some y /\ In y all.
Proof.
  induction l as [|x l IH]; intros found all H; cbn [all_found] in H.
  - inversion H. subst. split; [auto|intros x []].
  - destruct (f x) as [y|] eqn:E; [|discriminate]. destruct (IH _ _ H) as [H1 H2]. split.
    + intros z Hz. apply H1. right. exact Hz.
    + intros z [<-|Hz]; [exists y; split; [exact E|apply H1; left; reflexivity]|apply H2, Hz].
Qed.

Lemma with_one_more_spec D z left lates N n i h kinds : forall first found,
  with_one_more D z left lates N n i h first kinds = Some found ->
  forall m k, nth_error kinds m = Some k -> size k <= left ->
  (1 <= Z.min (last_completion D z k) (at_place (-1) lates i) -> exists j, KeyMap.find (insert_code (code k) h) N = Some j) /\
  forall j, KeyMap.find (insert_code (code k) h) N = Some j -> i < j < n /\
    Z.min (last_completion D z k) (at_place (-1) lates i) <= at_place (-1) lates j /\ In (first + Z.of_nat m, j) found.
Proof.
  induction kinds as [|k0 kinds IH]; intros first found H m k Hm Hsize; [destruct m; discriminate|].
  cbn [with_one_more] in H.
  destruct (with_one_more D z left lates N n i h (first + 1) kinds) as [found'|] eqn:E; [|discriminate].
  destruct m as [|m]; cbn [nth_error] in Hm.
  - inversion Hm. subst k0. destruct (Z.ltb_spec left (size k)); [lia|].
    destruct (KeyMap.find (insert_code (code k) h) N) as [j|] eqn:Ej.
    + destruct ((i <? j) && (j <? n) && (_ <=? _)) eqn:Hj; [|discriminate].
      apply andb_true_iff in Hj as [Hj Hlate]. apply Z.leb_le in Hlate.
      inversion H. split; [intros _; exists j; reflexivity|]. intros j' E'. inversion E'. subst j'.
      split; [lia|]. split; [exact Hlate|]. left. f_equal. lia.
    + destruct (Z.ltb_spec (Z.min (last_completion D z k) (at_place (-1) lates i)) 1); [|discriminate].
      split; [lia|discriminate].
  - destruct (IH _ _ E m k Hm Hsize) as (H1 & H2). split; [exact H1|]. intros j Hj. destruct (H2 j Hj) as (H3 & H4 & H5).
    split; [exact H3|]. split; [exact H4|].
    replace (first + Z.of_nat (S m)) with (first + 1 + Z.of_nat m) by lia.
    destruct (left <? size k0); [inversion H; subst; exact H5|].
    destruct (KeyMap.find (insert_code (code k0) h) N).
    + destruct (_ && _); [|discriminate]. inversion H. right. exact H5.
    + destruct (_ <? 1); [|discriminate]. inversion H. subst. exact H5.
Qed.

Lemma falling_spec l : never_rising l = true -> forall i j, (i <= j < length l)%nat -> nth j l 0 <= nth i l 0.
Proof.
  induction l as [|x l IH]; intros H i j Hij; [cbn [length] in Hij; lia|].
  assert (Hl : never_rising l = true) by (destruct l; [reflexivity|cbn [never_rising] in H; apply andb_true_iff in H as [_ H]; exact H]).
  cbn [length] in Hij. destruct j as [|j]; [replace i with O by lia; lia|]. cbn [nth]. destruct i as [|i]; [|apply IH; [exact Hl|lia]].
  eapply Z.le_trans; [apply (IH Hl O j); lia|]. destruct l as [|y l]; [cbn [length] in Hij; lia|].
  cbn [never_rising nth] in *. apply andb_true_iff in H as [H _]. lia.
Qed.

Lemma some_graph_spec M W D z top kinds G : some_graph M W D z top kinds = Some G ->
  exists N n lates reach, graph_of M W D z top kinds lates reach N n = Some G.
Proof.
  unfold some_graph, graph_from. destruct (find_batches 1 M W D z top kinds) as [N [n [lates reach]]].
  destruct (graph_of _ _ _ _ _ _ lates reach N n) as [G'|] eqn:E.
  - intros H. inversion H. subst G'. exists N, n, lates, reach. exact E.
  - destruct (find_batches 0 M W D z top kinds) as [N' [n' [lates' reach']]]. intros H. exists N', n', lates', reach'. exact H.
Qed.

Section Graph.
  Context (M W D z top : Z) (kinds : list kind) (ts bounds : vector Z) (N : numbers_of_batches) (n : Z) (G : batch_graph).
  Context (HG : graph_of M W D z top kinds ts bounds N n = Some G).

  (* The last time at which a batch may be there. *)
  Definition late_of (h : list Z) : Z :=
    match KeyMap.find h N with Some i => at_place (-1) (lates G) i | None => -1 end.

  Lemma graph_root : KeyMap.find [] N = Some (root G) /\ how_many G = n /\ top <= at_place (-1) (lates G) (root G).
  Proof.
    unfold graph_of in HG. destruct (KeyMap.find [] N) as [r|]; [|discriminate]. destruct bounds as [counts].
    destruct (never_rising counts && _) eqn:Hok; [|discriminate]. apply andb_true_iff in Hok as [_ Hok].
    destruct (all_found _ _ _) as [all|]; [|discriminate]. inversion HG. cbn [root how_many lates]. repeat split. lia.
  Qed.

  Lemma graph_lates : lates G = ts.
  Proof.
    unfold graph_of in HG. destruct (KeyMap.find [] N) as [r|]; [|discriminate]. destruct bounds as [counts].
    destruct (never_rising counts && _); [|discriminate].
    destruct (all_found _ _ _) as [all|]; [|discriminate]. inversion HG. reflexivity.
  Qed.

  Lemma batch_links h i : KeyMap.find h N = Some i -> 0 <= i < n /\ (h = [] \/ i <> root G) /\
    ((1 <= at_place (-1) (lates G) i -> exists b, KeyMap.find (before W h) N = Some b) /\
     forall b, KeyMap.find (before W h) N = Some b -> 0 <= b < n /\ In i (at_place [] (nexts G) b) /\ In b (at_place [] (priors G) i)
      /\ at_place (-1) (lates G) i - 1 <= at_place (-1) (lates G) b) /\
    (forall m k, nth_error kinds m = Some k -> tokens_of W h + size k <= M ->
      (1 <= Z.min (last_completion D z k) (at_place (-1) (lates G) i) -> exists j, KeyMap.find (insert_code (code k) h) N = Some j) /\
      forall j, KeyMap.find (insert_code (code k) h) N = Some j -> i < j < n /\
        In (Z.of_nat m, j) (at_place [] (larger G) i) /\ In (Z.of_nat m, i) (at_place [] (smaller G) j) /\
        Z.min (last_completion D z k) (at_place (-1) (lates G) i) <= at_place (-1) (lates G) j) /\
    forall t, 0 <= t <= at_place (-1) (lates G) i -> i < at_place 0 (reach G) t.
  Proof.
    intros Hi. unfold graph_of in HG. destruct (KeyMap.find [] N) as [r|] eqn:Er; [|discriminate]. destruct bounds as [counts].
    destruct (never_rising counts && _) eqn:Hfall; [|discriminate]. apply andb_true_iff in Hfall as [Hfall _].
    destruct (all_found _ _ _) as [all|] eqn:E; [|discriminate]. inversion HG as [HG']. clear HG.
    cbn [root nexts priors larger smaller lates reach].
    apply all_some_spec in E as [_ E]. destruct (E _ (find_elements _ _ _ Hi)) as (y & Hy & Hin). cbn [links_of] in Hy. cbv zeta in Hy.
    destruct ((0 <=? i) && (i <? n) && (is_nil h || negb (i =? r)) && _) eqn:Hok; [|discriminate].
    apply andb_true_iff in Hok as [Hok Hlate]. apply andb_true_iff in Hok as [Hrange Hroot].
    destruct (with_one_more D z (M - tokens_of W h) ts N n i h 0 kinds) as [found|] eqn:Ef;
      [|destruct (KeyMap.find (before W h) N); discriminate].
    assert (Hshape : exists b, y = (i, (b, found)) /\ match KeyMap.find (before W h) N with
      | Some b' => b' = b /\ 0 <= b < n /\ at_place (-1) ts i - 1 <= at_place (-1) ts b
      | None => at_place (-1) ts i < 1 end).
    { destruct (KeyMap.find (before W h) N) as [b|].
      - destruct ((0 <=? b) && (b <? n) && _) eqn:Hb; [|discriminate]. inversion Hy. exists b.
        apply andb_true_iff in Hb as [Hb Hb']. apply Z.leb_le in Hb'. repeat split; [lia|lia|exact Hb'].
      - destruct (Z.ltb_spec (at_place (-1) ts i) 1); [|discriminate]. inversion Hy. exists (-1). auto. }
    destruct Hshape as (b & -> & Hb). clear Hy.
    split; [lia|]. split; [|split; [|split]].
    - destruct h; [left; reflexivity|right]. cbn [is_nil orb] in Hroot. lia.
    - destruct (KeyMap.find (before W h) N) as [b0|]; [|split; [lia|discriminate]]. destruct Hb as (-> & Hb & Hb').
      split; [intros _; exists b; reflexivity|]. intros b0 E0. inversion E0. subst b0. split; [exact Hb|].
      split; [|split; [|exact Hb']]; apply at_collect; try lia; apply in_map_iff;
        exists (i, (b, found)); split; auto.
    - intros m k Hm Hsize. destruct (with_one_more_spec _ _ _ _ _ _ _ _ _ _ _ Ef m k Hm) as (H1 & H2); [lia|].
      split; [exact H1|]. intros j Hj. destruct (H2 j Hj) as (H3 & H4 & H5). split; [exact H3|]. rewrite Z.add_0_l in H5.
      split; [|split; [|exact H4]]; apply at_collect; try lia; apply in_flat_map; exists (i, (b, found));
        (split; [exact Hin|]); apply in_map_iff; exists (Z.of_nat m, j); split; auto.
    - intros t Ht. apply orb_true_iff in Hlate as [Hlate|Hlate]; [apply Z.ltb_lt in Hlate; lia|]. apply Z.ltb_lt in Hlate.
      set (last := at_place (-1) ts i) in *. cbn [at_place] in Hlate |- *.
      destruct (Z.leb_spec 0 last); [|lia]. destruct (Z.leb_spec 0 t); [|lia].
      destruct (Nat.lt_ge_cases (Z.to_nat last) (length counts)) as [Hlen|Hlen].
      + pose proof (falling_spec counts Hfall (Z.to_nat t) (Z.to_nat last) ltac:(lia)). lia.
      + rewrite nth_overflow in Hlate by exact Hlen. lia.
  Qed.

  Lemma late_number h t : 0 <= t <= late_of h -> exists i, KeyMap.find h N = Some i /\ t <= at_place (-1) (lates G) i.
  Proof. unfold late_of. destruct (KeyMap.find h N) as [i|]; intros H; [exists i; split; [reflexivity|lia]|lia]. Qed.

  Lemma late_before h t : 0 <= t -> t + 1 <= late_of h -> t <= late_of (before W h).
  Proof.
    intros Ht H. destruct (late_number h (t + 1) ltac:(lia)) as (i & Hi & Hlate).
    destruct (batch_links h i Hi) as (_ & _ & [Hsome Hall] & _). destruct (Hsome ltac:(lia)) as (b & Hb).
    destruct (Hall b Hb) as (_ & _ & _ & Hb'). unfold late_of. rewrite Hb. lia.
  Qed.

  Lemma late_more h t m k : nth_error kinds m = Some k -> tokens_of W h + size k <= M -> 1 <= t <= late_of h ->
    t <= last_completion D z k -> t <= late_of (insert_code (code k) h).
  Proof.
    intros Hm Hfit Ht Hk. destruct (late_number h t ltac:(lia)) as (i & Hi & Hlate).
    destruct (batch_links h i Hi) as (_ & _ & _ & Hmore & _). destruct (Hmore m k Hm Hfit) as [Hsome Hall].
    destruct (Hsome ltac:(lia)) as (j & Hj). destruct (Hall j Hj) as (_ & _ & _ & Hj').
    unfold late_of. rewrite Hj. lia.
  Qed.
End Graph.
